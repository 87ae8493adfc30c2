package main

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"

	"github.com/exaring/otelpgx"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/wxsteward/wxsteward/codesubmit"
	"github.com/wxsteward/wxsteward/component"
	"github.com/wxsteward/wxsteward/internal/metrics"
	"github.com/wxsteward/wxsteward/internal/tracing"
)

// startTracing begins to send spans if OTEL_* asks for it. Otherwise nothing is made that could make spans.
func (a *app) startTracing(ctx context.Context) error {
	if !a.cfg.tracing {
		return nil
	}
	version, _ := buildVersion()
	provider, err := tracing.Start(ctx, version)
	if err != nil {
		return err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(tracing.LogErrors(a.log))) // it has no other way to say so
	a.tracer = provider.Tracer()
	a.queryTracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(provider.SDK()),
		otelpgx.WithDisableConnectionDetailsInAttributes(), otelpgx.WithDisableAcquireTracer(), otelpgx.WithMeterProvider(noop.NewMeterProvider()))
	a.onStop(func(ctx context.Context) { a.stopped(ctx, "tracing", provider.Stop(ctx)) })
	return nil
}

// routeProfiles serves Go's profiles; they show what is in memory, so they are for the inner listener only.
func routeProfiles(inner *echo.Echo) {
	for path, handler := range map[string]http.HandlerFunc{
		"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
	} {
		inner.GET("/debug/pprof/"+path, echo.WrapHandler(handler))
	}
	inner.GET("/debug/pprof/:name", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
}

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
