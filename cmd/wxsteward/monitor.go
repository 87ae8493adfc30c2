package main

import (
	"context"
	"net"
	"net/netip"

	"github.com/wxsteward/wxsteward/codesubmit"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/metrics"
)

func (a *app) newMetrics() *metrics.Metrics {
	version, commit := buildVersion()
	return metrics.New(metrics.Config{Version: version, Commit: commit, Logger: a.log})
}

// progress reads what the gauges show: a few small queries, at most one of each at a time.
func (a *app) progress(platform *component.Service, releases *codesubmit.Service) func(context.Context) (metrics.State, error) {
	return func(ctx context.Context) (metrics.State, error) {
		ticket, err := platform.TicketStatus(ctx)
		if err != nil {
			return metrics.State{}, err
		}
		queue, err := a.runner.Depth(ctx)
		if err != nil {
			return metrics.State{}, err
		}
		counts, err := releases.Progress(ctx)
		if err != nil {
			return metrics.State{}, err
		}
		return metrics.State{
			TicketReceived: ticket.ReceivedAt, TicketHealth: string(ticket.Health), QueueJobs: queue.Jobs, QueueOldest: queue.DueSince,
			Rollouts: counts.Rollouts, Submissions: counts.Submissions,
		}, nil
	}
}

// listeners are our own addresses, to which nobody may have requests sent.
func (a *app) listeners() []netip.AddrPort {
	var own []netip.AddrPort
	for _, l := range []net.Listener{a.public, a.inner} {
		if l == nil {
			continue
		}
		if addr, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			own = append(own, addr)
		}
	}
	return own
}
