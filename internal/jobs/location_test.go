package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestScheduleIsReadInTheLocation(t *testing.T) {
	t.Parallel()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // 20:00 in Shanghai
	for name, tc := range map[string]struct {
		spec     string
		location *time.Location
		want     time.Time
	}{
		"two o'clock in Shanghai":      {"0 2 * * *", shanghai, time.Date(2026, 3, 1, 18, 0, 0, 0, time.UTC)},
		"two o'clock UTC":              {"0 2 * * *", time.UTC, time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)},
		"a weekday begins in Shanghai": {"0 0 * * MON", shanghai, time.Date(2026, 3, 1, 16, 0, 0, 0, time.UTC)},
		"an interval is the same":      {"@every 90s", shanghai, now.Add(90 * time.Second)},
		"its own zone goes first":      {"CRON_TZ=UTC 0 2 * * *", shanghai, time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := parseSchedule(tc.spec, tc.location)
			require.NoError(t, err)
			require.True(t, tc.want.Equal(s.Next(now)), "got %s", s.Next(now))
		})
	}
}

func TestSightings(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	s := sightings[string]{}
	require.Empty(t, s.look(now, []string{"a", "b"}, time.Second))
	require.Empty(t, s.look(now.Add(900*time.Millisecond), []string{"a"}, time.Second))
	require.Equal(t, []string{"a"}, s.look(now.Add(1100*time.Millisecond), []string{"a", "b"}, time.Second), "b was back in between")
	require.Equal(t, []string{"b"}, s.look(now.Add(2200*time.Millisecond), []string{"b"}, time.Second))
	require.Len(t, s, 1, "who is seen no more is forgotten")
}
