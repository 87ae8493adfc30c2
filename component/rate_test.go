package component

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/adminauth"
)

// rateSum is how many messages of each channel the rate tells of.
func rateSum(t *testing.T, s *Service, hours int) (component, biz int64) {
	t.Helper()
	points, _, err := s.Rate(t.Context(), hours)
	require.NoError(t, err)
	for _, p := range points {
		component += p.Component
		biz += p.Biz
	}
	return component, biz
}

// counting keeps the rate of a replica; stop waits until the last is written.
func counting(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.KeepRate(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

func TestRateCountsEachMessageOnceOverAllReplicas(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	other := platformOn(t, p.dbURL, cloudrun)
	stops := []func(){counting(t, p.Service), counting(t, other.Service)}
	const messages = 60
	for i := range messages {
		for _, replica := range []*platform{p, other} { // the second is a copy
			require.Equal(t, http.StatusOK, plainPush(t.Context(), replica.server.URL, "wxmerchant0000001", strconv.Itoa(1000+i)))
		}
	}
	for _, stop := range stops {
		stop() // at shutdown what has not been written is
	}
	for _, replica := range []*platform{p, other} {
		component, biz := rateSum(t, replica.Service, 1)
		assert.EqualValues(t, 0, component)
		assert.EqualValues(t, messages, biz)
	}
}

func TestRateSurvivesADatabaseThatRefuses(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	_, err := p.pool.Exec(t.Context(), `ALTER TABLE message_rate RENAME TO message_rate_away`)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, plainPush(t.Context(), p.server.URL, "wxmerchant0000001", "1"))
	p.writeRate(t.Context())
	require.Contains(t, p.logs.String(), "message rate not written")
	require.Equal(t, http.StatusOK, plainPush(t.Context(), p.server.URL, "wxmerchant0000001", "2"))
	_, err = p.pool.Exec(t.Context(), `ALTER TABLE message_rate_away RENAME TO message_rate`)
	require.NoError(t, err)
	p.writeRate(t.Context())
	p.writeRate(t.Context()) // what is written is not written again
	_, biz := rateSum(t, p.Service, 1)
	require.EqualValues(t, 2, biz)
}

func TestRateStepsLieOnTheClockWhateverTheTimeZone(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	require.Contains(t, p.dbURL, "timezone=UTC")
	// Half an hour off, so that hours and days of this zone begin elsewhere.
	india := platformOn(t, strings.Replace(p.dbURL, "timezone=UTC", "timezone=Asia%2FKolkata", 1))
	now := time.Date(2026, 3, 29, 18, 40, 30, 0, time.UTC)
	for _, replica := range []*platform{p, india} {
		replica.clock.set(now)
	}
	day := rateKey{minute: now.Add(-24*time.Hour).Unix() / 60, channel: ChannelBiz}
	require.NoError(t, addRate(t.Context(), india.pool, map[rateKey]int64{
		{now.Unix() / 60, ChannelBiz}:                 3,
		{now.Unix() / 60, ChannelComponent}:           1,
		{now.Add(-30*time.Minute).Unix() / 60, "biz"}: 4,
		day: 5,
		{now.Add(-7*24*time.Hour).Unix() / 60, "biz"}:     7, // before the first step
		{now.Add(2*time.Hour).Unix() / 60, ChannelBiz}:    9, // of a clock that is ahead
		{now.Add(-61*time.Minute).Unix() / 60, "biz"}:     6,
		{now.Add(-167*time.Hour).Unix() / 60, ChannelBiz}: 2,
	}))
	for _, c := range []struct {
		hours      int
		step       time.Duration
		points     int
		last       time.Time
		inLast     int64
		biz, other int64
	}{
		{1, time.Minute, 60, time.Date(2026, 3, 29, 18, 40, 0, 0, time.UTC), 3, 7, 1},
		{2, time.Minute, 120, time.Date(2026, 3, 29, 18, 40, 0, 0, time.UTC), 3, 13, 1},
		{24, 10 * time.Minute, 144, time.Date(2026, 3, 29, 18, 40, 0, 0, time.UTC), 3, 13, 1},
		{25, 10 * time.Minute, 150, time.Date(2026, 3, 29, 18, 40, 0, 0, time.UTC), 3, 18, 1},
		{168, time.Hour, 168, time.Date(2026, 3, 29, 18, 0, 0, 0, time.UTC), 7, 20, 1},
	} {
		for _, replica := range []*platform{p, india} {
			points, step, err := replica.Rate(t.Context(), c.hours)
			require.NoError(t, err)
			assert.Equal(t, c.step, step)
			if !assert.Len(t, points, c.points) {
				continue
			}
			last := points[len(points)-1]
			assert.Equal(t, c.last, last.At)
			assert.Equal(t, c.inLast, last.Biz, "%d hours", c.hours)
			for i, point := range points[1:] {
				require.Equal(t, step, point.At.Sub(points[i].At))
			}
			component, biz := rateSum(t, replica.Service, c.hours)
			assert.Equal(t, c.other, component)
			assert.Equal(t, c.biz, biz, "%d hours", c.hours)
		}
	}

	require.NoError(t, p.cleanRate(t.Context()))
	_, biz := rateSum(t, p.Service, 168)
	require.EqualValues(t, 20, biz, "nothing that may be asked for is removed")
	p.clock.Add(rateFor)
	require.NoError(t, (&cleanWorker{s: p.Service}).Work(t.Context(), nil))
	var left int
	require.NoError(t, p.pool.QueryRow(t.Context(), `SELECT count(*) FROM message_rate`).Scan(&left))
	require.Equal(t, 1, left, "only that of the clock that is ahead is not yet past its time")
}

func TestRateIsForEveryReader(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, cloudrun)
	o := p.office(t)
	require.Equal(t, http.StatusOK, plainPush(t.Context(), p.server.URL, "wxmerchant0000001", "1"))
	p.writeRate(t.Context())
	status, got, _ := o.call(t, adminauth.Viewer, http.MethodGet, "/messages/rate?hours=1", "")
	require.Equal(t, http.StatusOK, status)
	require.EqualValues(t, 60, got["step_seconds"])
	require.Len(t, got["points"], 60)
	for _, hours := range []string{"0", "169", "x"} {
		status, _, _ = o.call(t, adminauth.Viewer, http.MethodGet, "/messages/rate?hours="+hours, "")
		require.Equal(t, http.StatusUnprocessableEntity, status)
	}
}
