package codesubmit

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

//nolint:gochecknoglobals // flags must be known before the tests run
var updateDocs = flag.Bool("update", false, "write the documents that are made from the code")

func TestStatesDocument(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "docs", "rollout-states.md")
	want := statesDocument()
	if *updateDocs {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644)) //nolint:gosec // a document for everybody
		return
	}
	got, err := os.ReadFile(path) //nolint:gosec // the document itself
	require.NoError(t, err)
	require.Equal(t, want, string(got), "out of date: run go test ./codesubmit -run TestStatesDocument -update")
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	next := map[State][]State{}
	for _, tr := range Transitions() {
		require.Contains(t, States(), tr.From)
		require.Contains(t, States(), tr.To)
		require.NotEmpty(t, tr.Why, "%s to %s", tr.From, tr.To)
		require.NotContains(t, next[tr.From], tr.To, "%s to %s stands twice", tr.From, tr.To)
		next[tr.From] = append(next[tr.From], tr.To)
	}
	t.Run("every state can be reached", func(t *testing.T) {
		t.Parallel()
		seen := map[State]bool{}
		var visit func(State)
		visit = func(s State) {
			if seen[s] {
				return
			}
			seen[s] = true
			for _, to := range next[s] {
				visit(to)
			}
		}
		visit(Queued)
		for _, s := range States() {
			require.True(t, seen[s], s)
		}
	})
	t.Run("an end is left by retry only", func(t *testing.T) {
		t.Parallel()
		for _, s := range ends() {
			require.Equal(t, s.Retryable(), len(next[s]) > 0, s)
		}
	})
	t.Run("whatever is under way can be canceled", func(t *testing.T) {
		t.Parallel()
		for _, s := range States() {
			require.Equal(t, !s.Ended(), allowed(s, Canceled), s)
		}
	})
	t.Run("a rejected version is not committed again", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []State{Submitting}, next[Rejected])
	})
}

// arrow is all transitions of one reason, where they lead from each of its states to each of its targets.
type arrow struct {
	from, to []State
	why      string
}

func arrows() []arrow {
	var list []arrow
	for _, tr := range Transitions() {
		i := slices.IndexFunc(list, func(a arrow) bool { return a.why == tr.Why })
		if i < 0 {
			list = append(list, arrow{[]State{tr.From}, []State{tr.To}, tr.Why})
			continue
		}
		a := &list[i]
		if !slices.Contains(a.from, tr.From) {
			a.from = append(a.from, tr.From)
		}
		if !slices.Contains(a.to, tr.To) {
			a.to = append(a.to, tr.To)
		}
	}
	return list
}

func underWay() []State {
	return slices.DeleteFunc(States(), State.Ended)
}

// names lists states for the table.
func names(states []State) string {
	if slices.Equal(states, underWay()) {
		return "any state that is not an end"
	}
	var quoted []string
	for _, s := range states {
		quoted = append(quoted, "`"+string(s)+"`")
	}
	return strings.Join(quoted, ", ")
}

func statesDocument() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# States of a submission")
	line("")
	line("One submission is one version on its way to one merchant. This page is made from `codesubmit.Transitions()` by")
	line("`go test ./codesubmit -run TestStatesDocument -update`; the test fails when it is out of date.")
	line("")
	line("## The way to a release")
	line("")
	line("```mermaid")
	line("stateDiagram-v2")
	line("    [*] --> %s", Queued)
	for _, a := range arrows() {
		if len(a.from) == 1 && len(a.to) == 1 && !a.from[0].Ended() {
			line("    %s --> %s: %s", a.from[0], a.to[0], a.why)
		}
	}
	line("    %s --> [*]", Released)
	line("```")
	line("")
	line("A gray release stays `releasing` from its first step to the last; the submission's `gray` says how far it has come.")
	line("A rollback commits and submits nothing: it goes from `preflight` to `releasing`.")
	line("")
	line("## Other ends, and the way back")
	line("")
	line("```mermaid")
	line("stateDiagram-v2")
	line("    state \"any state that is not an end\" as under_way")
	for _, a := range arrows() {
		switch {
		case slices.Equal(a.from, underWay()):
			line("    under_way --> %s: %s", a.to[0], a.why)
		case a.from[0].Ended() && len(a.to) > 1:
			for _, from := range a.from {
				line("    %s --> under_way: retry", from)
			}
		case a.from[0].Ended():
			line("    %s --> %s: retry", a.from[0], a.to[0])
		}
	}
	line("```")
	line("")
	line("## All transitions")
	line("")
	line("A change of state that is not in this table is refused by the program.")
	line("")
	line("| From | To | When |")
	line("|---|---|---|")
	for _, a := range arrows() {
		line("| %s | %s | %s |", names(a.from), names(a.to), a.why)
	}
	line("")
	line("## All states")
	line("")
	line("An end is a state in which nothing more happens by itself; `retry` sends some of them on again.")
	line("")
	line("| State | End | Takes retry |")
	line("|---|---|---|")
	mark := map[bool]string{true: "yes", false: ""}
	for _, s := range States() {
		line("| `%s` | %s | %s |", s, mark[s.Ended()], mark[s.Retryable()])
	}
	return b.String()
}

// The document draws a group of transitions as one arrow, which is true only if the group is complete.
func TestStatesDocumentLeavesNothingOut(t *testing.T) {
	t.Parallel()
	drawn := 0
	for _, a := range arrows() {
		for _, from := range a.from {
			for _, to := range a.to {
				require.True(t, allowed(from, to), "%s to %s (%s)", from, to, a.why)
				drawn++
			}
		}
	}
	require.Len(t, Transitions(), drawn)
}
