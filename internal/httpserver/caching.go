package httpserver

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Caching are the headers of an answer that its reader, and nobody between, may keep for a while.
type Caching struct {
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Expires      string `header:"Expires"`
}

// CacheUntil lets a reader keep an answer until a time; when that has passed it has to ask whether tag still holds. tag has
// letters and digits only.
func CacheUntil(tag string, now, until time.Time) Caching {
	c := Caching{ETag: `"` + tag + `"`, CacheControl: "private, no-cache"}
	if seconds := int(until.Sub(now) / time.Second); seconds > 0 {
		c.CacheControl = fmt.Sprintf("private, max-age=%d, must-revalidate", seconds)
		c.Expires = now.Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
	}
	return c
}

// Matches reports whether the reader has this answer already, by its If-None-Match header.
func (c Caching) Matches(ifNoneMatch string) bool {
	for part := range strings.SplitSeq(ifNoneMatch, ",") {
		if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == c.ETag {
			return true
		}
	}
	return false
}

// Set writes the headers.
func (c Caching) Set(h http.Header) {
	for name, value := range map[string]string{"Cache-Control": c.CacheControl, "ETag": c.ETag, "Expires": c.Expires} {
		if value != "" {
			h.Set(name, value)
		}
	}
}

// tokenKeep is how long a reader may keep a token without asking: as long as it may go on after a merchant has withdrawn.
const tokenKeep = 5 * time.Minute

// tokenMargin is how much longer than its cached copies a token must be good.
const tokenMargin = 5 * time.Minute

// CacheToken are the headers for a token of ours that ends at a time; fingerprint stands for the token.
func CacheToken(fingerprint string, now, expiresAt time.Time) Caching {
	until := expiresAt.Add(-tokenMargin)
	if latest := now.Add(tokenKeep); until.After(latest) {
		until = latest
	}
	return CacheUntil(fingerprint[:min(len(fingerprint), 32)], now, until)
}
