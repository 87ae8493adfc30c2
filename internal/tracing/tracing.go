// Package tracing sends spans by OpenTelemetry when the standard OTEL_* variables ask for it; else there is nothing.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/wxsteward/wxsteward/internal/wechat"
)

// Wanted reads whether spans are to be sent: an OTLP endpoint is named and nothing switches it off. It fails for a protocol that is not
// spoken here; the error is one line that names the variable.
func Wanted(env func(name string) string) (bool, error) {
	if env("OTEL_SDK_DISABLED") == "true" || env("OTEL_TRACES_EXPORTER") == "none" ||
		env("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return false, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := env(name); p != "" && p != "http/protobuf" {
			return false, fmt.Errorf("%s is %q, but only http/protobuf is spoken, e.g. %s=http/protobuf", name, p, name)
		}
	}
	if e := env("OTEL_TRACES_EXPORTER"); e != "" && e != "otlp" {
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER is %q, but must be otlp or none, e.g. OTEL_TRACES_EXPORTER=otlp", e)
	}
	return true, nil
}

// Provider makes spans and sends them in the background.
type Provider struct{ sdk *sdktrace.TracerProvider }

// Start reads OTEL_* as every OpenTelemetry program does: where to send, headers, sampler, service name, attributes. A collector that is
// away costs only its spans.
func Start(ctx context.Context, version string) (*Provider, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("the OTEL_EXPORTER_OTLP_* variables cannot be used: %w", err)
	}
	about, err := resource.New(
		ctx, resource.WithAttributes(attribute.String("service.name", "wxsteward"), attribute.String("service.version", version)),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv(),
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be used: %w", err)
	}
	return &Provider{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}, nil
}

// SDK is for libraries that make spans of their own.
func (p *Provider) SDK() trace.TracerProvider { return p.sdk }

// Tracer makes spans of ours.
func (p *Provider) Tracer() trace.Tracer { return p.sdk.Tracer("github.com/wxsteward/wxsteward") }

// Stop sends what is left, until ctx ends.
func (p *Provider) Stop(ctx context.Context) error { return p.sdk.Shutdown(ctx) }

// LogErrors tells logger of spans that cannot be sent, instead of standard error.
func LogErrors(logger *slog.Logger) func(error) {
	return func(err error) {
		logger.WarnContext(context.Background(), "spans cannot be sent", slog.Any("error", err))
	}
}

// Called makes the span of an exchange with WeChat that has just ended. It holds the path and what came of it, never the address, which
// has the token in it.
func Called(ctx context.Context, tracer trace.Tracer, c wechat.Call) {
	end := time.Now()
	_, span := tracer.Start(
		ctx, "wechat "+c.Op, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(end.Add(-c.Duration)),
		trace.WithAttributes(attribute.String("wechat.op", c.Op), attribute.String("wechat.appid", c.AppID), attribute.Int("wechat.errcode", c.ErrCode)),
	)
	if c.Err != nil {
		span.SetStatus(codes.Error, c.Err.Error())
	}
	span.End(trace.WithTimestamp(end))
}
