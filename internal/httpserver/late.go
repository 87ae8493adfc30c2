package httpserver

import (
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// LateAnswer is embedded in the input of an operation that may work for longer than the server waits with an answer. Its
// handler calls AnswerNow when it is done; without that the connection of a late one is cut, and nobody learns anything.
type LateAnswer struct{ control *http.ResponseController }

// Resolve implements huma.Resolver.
func (l *LateAnswer) Resolve(ctx huma.Context) []error {
	l.control = http.NewResponseController(humaecho.Unwrap(ctx).Response())
	return nil
}

// AnswerNow gives the answer as much time on its way as any other has.
func (l *LateAnswer) AnswerNow() {
	_ = l.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // unsupported only in tests without a connection
}
