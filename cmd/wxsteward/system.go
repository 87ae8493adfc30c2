package main

import (
	"context"
	"time"

	"github.com/wxsteward/wxsteward/internal/system"
	"github.com/wxsteward/wxsteward/migrations"
)

func (a *app) newSystem() *system.Service {
	version, commit := buildVersion()
	return system.New(
		system.Config{Version: version, Commit: commit, StartedAt: time.Now(), Now: time.Now, Logger: a.log},
		system.Deps{
			DB: a.pool, Jobs: a.runner, Replicas: a.replica, Migrations: a.migrations,
			Due: map[string]func(context.Context) (int64, error){"deliveries": a.deliveries.Due, "notices": a.notices.Due},
		},
	)
}

func (a *app) migrations(ctx context.Context) ([]system.Migration, error) {
	known, err := migrations.Status(ctx, a.pool)
	list := make([]system.Migration, len(known))
	for i, m := range known {
		list[i] = system.Migration{Source: m.Source, Name: m.Name, Version: m.Version, AppliedAt: m.AppliedAt}
	}
	return list, err
}
