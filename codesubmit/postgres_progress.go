package codesubmit

import (
	"context"
	"fmt"
)

// Progress is how many there are by state. States that nobody is in are left out.
type Progress struct {
	Rollouts map[string]int64
	// Submissions are those of rollouts that have not ended; the others only ever become more.
	Submissions map[string]int64
}

// Progress counts over all merchants, for monitoring; unlike Counts it costs only as much as there is to do.
func (s *Service) Progress(ctx context.Context) (Progress, error) {
	const q = `SELECT 'rollout', state, count(*) FROM rollout GROUP BY state
		UNION ALL
		SELECT 'submission', s.state, count(*) FROM rollout r JOIN submission s ON s.rollout_id = r.id
		WHERE r.finished_at IS NULL GROUP BY s.state`
	c := Progress{Rollouts: map[string]int64{}, Submissions: map[string]int64{}}
	rows, err := s.db.Query(ctx, q)
	if err != nil {
		return Progress{}, fmt.Errorf("count rollouts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var what, state string
		var n int64
		if err := rows.Scan(&what, &state, &n); err != nil {
			return Progress{}, fmt.Errorf("count rollouts: %w", err)
		}
		if what == "rollout" {
			c.Rollouts[state] = n
		} else {
			c.Submissions[state] = n
		}
	}
	if err := rows.Err(); err != nil {
		return Progress{}, fmt.Errorf("count rollouts: %w", err)
	}
	return c, nil
}
