package httpserver

import (
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wxsteward/wxsteward/internal/fault"
)

// rooms hold a token for each request at work.
type rooms struct{ api, pages, pushes chan struct{} }

func newRooms() rooms {
	return rooms{api: make(chan struct{}, 512), pages: make(chan struct{}, 256), pushes: make(chan struct{}, 2048)}
}

// crowd bounds how many requests of a class are at work at once in this process, so that a flood of one class leaves room for the
// others, above all for pushes. What follows further in limits callers one by one: sign-ins, merchants' pages, codes of mini
// programs. Streams of events and what is passed through to the business system last long, and are not counted here.
func (s *Server) crowd(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		var class chan struct{}
		switch path := c.Path(); {
		case path == apiPrefix+"/events":
			return next(c)
		case strings.HasPrefix(path, "/wxcallback/"):
			class = s.rooms.pushes
		case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/miniapp/"):
			class = s.rooms.api
		case strings.HasPrefix(path, "/authorize/"), strings.HasPrefix(path, "/admin/"):
			class = s.rooms.pages
		default:
			return next(c)
		}
		select {
		case class <- struct{}{}:
			defer func() { <-class }()
			return next(c)
		default:
			return &fault.Error{Kind: fault.Unavailable, RetryAfter: time.Second}
		}
	}
}
