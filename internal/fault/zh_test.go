package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// TestEverySentenceIsTranslated reads the source of the whole module. What takes a sentence for users is known by name:
// the functions of this package, a Collector called wrong, and two helpers of codesubmit.
func TestEverySentenceIsTranslated(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	translations := catalogue(t)
	used := map[string]bool{}
	for _, file := range sources(t, root) {
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, s := range sentences(parsed) {
			where := set.Position(s.expr.Pos())
			format, constant := literal(s.expr)
			if !constant {
				t.Errorf("%s: a sentence for users is one literal; what varies goes into its arguments", where)
				continue
			}
			used[format] = true
			wanted := verbs(format)
			if s.args >= 0 && len(wanted) != s.args {
				t.Errorf("%s: %q has %d verbs and %d arguments", where, format, len(wanted), s.args)
			}
			chinese, ok := translations[format]
			switch {
			case ok && !maps.Equal(wanted, verbs(chinese)):
				t.Errorf("%s: the translation of %q has other verbs: %q", where, format, chinese)
			case !ok && hasWords(format):
				t.Errorf("%s: no Chinese for %q in internal/fault/zh.go", where, format)
			}
		}
	}
	for format := range translations {
		if !used[format] {
			t.Errorf("zh.go: nobody says %q", format)
		}
	}
	require.Greater(t, len(used), 50, "the search finds what it is for")
}

// sources are the Go files that are not tests.
func sources(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name()[0] == '.') {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return nil
	}))
	return files
}

// sentence is an expression in a place for sentences; args is how many arguments fill it, -1 when they are not told.
type sentence struct {
	expr ast.Expr
	args int
}

// takers tells where functions take their format, and how many parameters stand between it and its arguments.
func takers() map[string][2]int {
	return map[string][2]int{
		"fault.New": {1, 0}, "fault.Wrap": {2, 0}, "fault.Invalid": {1, 1}, "fault.Say": {1, 0}, "wrong.Add": {1, 1},
		"factOf": {0, 0}, "component.TextOf": {0, 0}, "TextOf": {0, 0}, "wrongExtJSON": {0, 0},
	}
}

func sentences(file *ast.File) []sentence {
	var found []sentence
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			at, ok := takers()[nameOf(n.Fun)]
			if ok && !n.Ellipsis.IsValid() { // else it passes on what its caller says
				found = append(found, sentence{n.Args[at[0]], len(n.Args) - at[0] - at[1] - 1})
			}
		case *ast.CompositeLit:
			switch nameOf(n.Type) {
			case "fault.Error":
				found = append(found, members(n, "Format")...)
			case "fault.Field": // made by Invalid and Add, or from what Huma said
				found = append(found, slices.DeleteFunc(members(n, "Message"), func(s sentence) bool {
					_, constant := literal(s.expr)
					return !constant
				})...)
			}
		}
		return true
	})
	return found
}

func members(lit *ast.CompositeLit, key string) []sentence {
	var found []sentence
	for _, element := range lit.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if ok && nameOf(pair.Key) == key {
			found = append(found, sentence{pair.Value, -1})
		}
	}
	return found
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok {
			return pkg.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// literal is the text of a string literal, or of several joined by +.
func literal(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		x, okX := literal(e.X)
		y, okY := literal(e.Y)
		return x + y, okX && okY && e.Op == token.ADD
	}
	return "", false
}

var verbPattern = regexp.MustCompile(`%(?:\[(\d+)\])?([a-z])`)

// verbs maps the number of each argument to the verb that shows it.
func verbs(format string) map[int]string {
	found := map[int]string{}
	next := 1
	for _, m := range verbPattern.FindAllStringSubmatch(format, -1) {
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		found[next] += m[2]
		next++
	}
	return found
}

// hasWords reports whether there is something to translate.
func hasWords(format string) bool {
	return strings.ContainsFunc(verbPattern.ReplaceAllString(format, ""), unicode.IsLetter)
}

// catalogue reads the translations from zh.go.
func catalogue(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "zh.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	all := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		require.Len(t, clause.List, 1)
		english, ok := literal(clause.List[0])
		require.True(t, ok)
		answer, ok := clause.Body[0].(*ast.ReturnStmt)
		require.True(t, ok, english)
		chinese, ok := literal(answer.Results[0])
		require.True(t, ok, english)
		require.NotContains(t, all, english)
		all[english] = chinese
		require.NotContains(t, english+chinese, "%%", "a sentence without arguments is not formatted")
		return true
	})
	return all
}
