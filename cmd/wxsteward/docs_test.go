package main

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxsteward/wxsteward/internal/wechat"
	"github.com/wxsteward/wxsteward/internal/wechat/wechatfake"
)

// notRun says of each command block in the documents that TestDocumentsRun leaves out why it does. A block is named by its
// document and its first line.
func notRun() map[string]string {
	return map[string]string{
		"README.md: make run":  "serves until Ctrl-C; TestStartScript and the browser tests start the same program",
		"README.md: make test": "runs this test",
		"docs/cloud-run.md: docker build --build-arg VERSION=$(git describe --tags --always) --build-arg COMMIT=$(git rev-parse HEAD) -t REGISTRY/wxsteward:VERSION .": "needs a container engine and a registry; make image-check carries out the Dockerfile's lines",
		"docs/cloud-run.md: FROM ccr.ccs.tencentyun.com/weixincloud/weixincloud_wxcomponent:latest AS wxcomponent":                                                     "needs a container engine and Tencent's image; TestBesideWeiguanjia runs both programs with these settings",
	}
}

// stage is where the command blocks of one document run, one after the other in one shell.
type stage struct {
	env   map[string]string
	swap  []string // what is written, and what stands for it here, in turn
	after string   // more to run at the end
	want  []string // what must be printed
}

// stages are the documents whose command blocks run. A stage may put files into dir, where they run.
func stages() map[string]func(t *testing.T, dir string) stage {
	return map[string]func(t *testing.T, dir string) stage{
		"README.md":             stageOfReadme,
		"docs/api.md":           stageOfAPI,
		"docs/cloud-run.md":     stageOfCloudRun,
		"docs/operations.md":    stageOfOperations,
		"examples/ci/README.md": stageOfPipeline,
	}
}

func stageOfReadme(t *testing.T, _ string) stage {
	t.Helper()
	w := newWorld(t, nil)
	return stage{
		env: w.env,
		swap: []string{
			"make build\n", "\n", // TestDocumentsRun has built it
			"https://steward.example.com", w.base,
			"postgres://wxsteward:password@db:5432/wxsteward", `"` + w.env["DATABASE_URL"] + `"`,
			"MASTER_KEY=…", `MASTER_KEY="$(bin/wxsteward genkey)"`,
			"bin/wxsteward serve\n", "bin/wxsteward serve & program=$!\n" + untilAnswers(w.base+"/readyz") + "kill $program\nwait $program\n",
		},
	}
}

// untilAnswers waits in a shell for an address.
func untilAnswers(address string) string {
	return "until curl -sS -o /dev/null " + address + " 2>/dev/null; do sleep 0.1; done\n"
}

// programKey is a key as a business system has it.
func programKey(o *operator) string {
	o.t.Helper()
	var key struct{ Key string }
	o.call(http.MethodPost, "/api-keys", map[string]any{"name": "documents", "role": "operator"}, &key)
	return key.Key
}

// quickWorld serves one merchant, whose audits are approved at once.
func quickWorld(t *testing.T, appid string) (*world, *operator) {
	t.Helper()
	w := newWorld(t, nil, func(c *wechatfake.Config) { c.AuditTime = 200 * time.Millisecond })
	w.env["ALLOW_PRIVATE_TARGETS"] = "true"
	w.addMerchant(appid, nil)
	w.start()
	o := newOperator(t, w.base)
	o.signIn()
	authorizeAll(t, w, o, []string{appid})
	return w, o
}

func stageOfAPI(t *testing.T, _ string) stage {
	t.Helper()
	w, o := quickWorld(t, "wxshop00000000001")
	addTemplate(o)
	port := freePort(t)
	listens := untilAnswers("http://127.0.0.1:" + port)
	return stage{
		swap: []string{"http://localhost:8080", w.base, "wxs_…", programKey(o), "9090", port, "sleep 1\n", listens},
		after: "go build -o receive receive.go\n./receive & RECEIVER=$!\n" + listens +
			`curl -fsS -X POST -H "Authorization: Bearer $KEY" "$WXSTEWARD/api/v1/forward-rules/$(printf '%s' "$RULE" | field id)/test"` +
			"\nkill $RECEIVER\n",
		want: []string{`"access_token":`, "a token\n", "good until 20", "wx0123456789abcdef {", `"status":204`, "/authorize/", `"wxshop00000000001"`, "completed"},
	}
}

func stageOfCloudRun(t *testing.T, _ string) stage {
	t.Helper()
	w, o := quickWorld(t, appids(1)[0])
	_, dsn := newMariaDB(t)
	return stage{
		env:  w.env,
		swap: []string{"https://steward.example.com", w.base, "wxs_…", programKey(o), "user:password@tcp(10.0.0.5:3306)/wxcomponent", dsn.FormatDSN()},
		want: []string{`"done":true`, "messages"},
	}
}

func stageOfOperations(t *testing.T, dir string) stage {
	t.Helper()
	w := newWorld(t, nil)
	delete(w.env, "DATABASE_URL")
	delete(w.env, "MASTER_KEY")
	w.env["DATA_DIR"] = filepath.Join(dir, "data")
	w.spawn("serve")
	w.waitReady()
	o := newOperator(t, w.base)
	o.signIn()
	private := `-h "$PWD/data/postgres/data" -U wxsteward`
	return stage{
		env: w.env,
		swap: []string{
			"-h db -U wxsteward wxsteward", private + " restored", "-h db -U wxsteward", private, "-d wxsteward", "-d restored",
			"https://steward.example.com", w.base, "wxs_…", programKey(o),
		},
		after: `psql -h "$PWD/data/postgres/data" -U wxsteward -d restored -Atc 'SELECT username FROM admin_user'` + "\n",
		want:  []string{"secrets are sealed with the new key; 1 running processes", `"done":true`, "\nadmin\n"},
	}
}

func stageOfPipeline(t *testing.T, dir string) stage {
	t.Helper()
	appid := appids(1)[0]
	w, o := quickWorld(t, appid)
	o.call(http.MethodPatch, "/authorizers/"+appid, map[string]any{"labels": []string{"vip"}}, nil)
	_, err := w.fake.AddDraft(wechatfake.Draft{
		UserVersion: "2.3.0", UserDesc: "autumn", SourceAppID: "wxdev00000000000001", SourceName: "dev",
		Package: wechatfake.Package{Pages: []string{"pages/index/index"}},
	})
	require.NoError(t, err)
	for _, name := range []string{"rollout.mjs", "rollout.json"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", "ci", name)) //nolint:gosec // the example
		require.NoError(t, err)
		text = bytes.ReplaceAll(text, []byte("* 2-5 * * *"), []byte("* * * * *")) // the test runs at any hour
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))   //nolint:gosec // one of two names
	}
	return stage{
		swap: []string{"https://steward.example.com", w.base, "wxs_…", programKey(o), "node rollout.mjs", "node rollout.mjs --pace 0.2"},
		want: []string{"1 of 1 released"},
	}
}

// TestDocumentsRun runs what the documents tell people to enter, as it stands there except for addresses, keys and passwords.
func TestDocumentsRun(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"curl", "node", "pg_dump", "psql"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: .ci/need postgres curl", name)
		}
	}
	program, err := buildOnce()
	require.NoError(t, err)
	for file, prepare := range stages() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "wxdocs") //nolint:usetesting // the path of a socket has a limit
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // the private database's user must be able to pass
			require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o750))
			require.NoError(t, os.Symlink(program, filepath.Join(dir, "bin", "wxsteward")))
			runBlocks(t, dir, file, prepare(t, dir))
		})
	}
}

// runBlocks runs a document's command blocks.
func runBlocks(t *testing.T, dir, file string, s stage) {
	t.Helper()
	script := ""
	reasons := notRun()
	for _, b := range commandBlocks(t, file) {
		switch {
		case reasons[b.String()] != "":
		case b.name != "" && (b.language == "js" || b.language == "go"):
			require.NoError(t, os.WriteFile(filepath.Join(dir, b.name), []byte(b.text), 0o600))
		default:
			require.Contains(t, []string{"sh", "console"}, b.language, "%s: how to run it?", b)
			script += b.text + "\n"
		}
	}
	for pair := range slices.Chunk(s.swap, 2) {
		require.Contains(t, script, pair[0], "no block of %s says so any more", file)
		script = strings.ReplaceAll(script, pair[0], pair[1])
	}
	require.NotContains(t, withoutComments(script), "…", "a placeholder that nothing stands for")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", script+s.after) //nolint:gosec // our own documents
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = os.Environ()
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	for _, text := range s.want {
		require.Contains(t, string(out), text)
	}
}

// block is a fenced block of a document that people or their programs are to run.
type block struct{ file, language, name, text string }

// String names the block by its first line.
func (b block) String() string {
	first, _, _ := strings.Cut(b.text, "\n")
	return b.file + ": " + first
}

// commandBlocks are the blocks of a document in the language of some program; those of none, text and pictures are not.
func commandBlocks(t *testing.T, file string) (blocks []block) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
	require.NoError(t, err)
	var open *block
	indent := ""
	for line := range strings.Lines(string(text)) {
		before, info, fence := strings.Cut(line, "```")
		fence = fence && strings.TrimSpace(before) == ""
		switch {
		case open == nil && fence:
			language, name, _ := strings.Cut(strings.TrimSpace(info), " ")
			open, indent = &block{file: file, language: language, name: name}, before
		case fence:
			if !slices.Contains([]string{"", "text", "mermaid"}, open.language) {
				blocks = append(blocks, *open)
			}
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent)
		}
	}
	require.Nil(t, open, "%s: a block does not end", file)
	return blocks
}

// documents are the pages for people, as paths from the root of the repository.
func documents(t *testing.T) (files []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/design/*.md", "docs/monitoring/*.md", "examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		require.NoError(t, err)
		for _, path := range found {
			file, err := filepath.Rel(root, path)
			require.NoError(t, err)
			files = append(files, filepath.ToSlash(file))
		}
	}
	require.Contains(t, files, "docs/operations.md")
	return files
}

// TestDocumentsCommandsAreKnown finds a command block that neither runs nor has a reason not to.
func TestDocumentsCommandsAreKnown(t *testing.T) {
	t.Parallel()
	reasons, runs := notRun(), stages()
	for _, file := range documents(t) {
		blocks := commandBlocks(t, file)
		if base, chinese := strings.CutSuffix(file, ".zh-CN.md"); chinese {
			require.Equal(t, commandsOf(commandBlocks(t, base+".md")), commandsOf(blocks), "%s: the same commands as in English", file)
			continue
		}
		for _, b := range blocks {
			if _, known := reasons[b.String()]; known {
				delete(reasons, b.String())
				continue
			}
			require.Contains(t, runs, file, "%s: run it in stages, or say in notRun why not", b)
		}
	}
	require.Empty(t, reasons, "notRun names blocks that are gone")
}

// commandsOf are blocks without their comments.
func commandsOf(blocks []block) (texts []string) {
	for _, b := range blocks {
		texts = append(texts, withoutComments(b.text))
	}
	return texts
}

func withoutComments(script string) string {
	return regexp.MustCompile(`(?m)(^|[ \t]+)#.*$`).ReplaceAllString(script, "")
}

// TestDocumentsLinksLeadSomewhere follows the links between documents, also to a heading.
func TestDocumentsLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	link, heading := regexp.MustCompile(`\]\(([^()\s]+)\)`), regexp.MustCompile("(?m)^#+ (.+)$")
	odd := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, file := range documents(t) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file))) //nolint:gosec // the document itself
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			target := filepath.Join(root, filepath.FromSlash(file))
			if path != "" {
				target = filepath.Join(filepath.Dir(target), filepath.FromSlash(path))
			}
			_, err := os.Stat(target) //nolint:gosec // what a document of ours links to
			require.NoError(t, err, "%s: %s", file, m[1])
			if anchor == "" {
				continue
			}
			page, err := os.ReadFile(target) //nolint:gosec // a document
			require.NoError(t, err)
			var anchors []string
			for _, h := range heading.FindAllStringSubmatch(string(page), -1) {
				anchors = append(anchors, strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
			}
			require.Contains(t, anchors, anchor, "%s: %s", file, m[1])
		}
	}
}

// TestReadmeNamesEveryCommand compares the tables of commands with the program's help.
func TestReadmeNamesEveryCommand(t *testing.T) {
	t.Parallel()
	find := func(text, pattern string) []string {
		names := map[string]bool{}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
		return slices.Sorted(maps.Keys(names))
	}
	want := find(usage, `(?m)^  wxsteward \[?([a-z]+)`)
	require.Contains(t, want, "serve")
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file)) //nolint:gosec // the document itself
		require.NoError(t, err)
		require.Equal(t, want, find(string(text), "(?m)^\\| `wxsteward ([a-z]+)"), file)
	}
}

// TestReadmeCommandsRun runs the commands that end by themselves and are run by no block of a document.
func TestReadmeCommandsRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()()
	for command, want := range map[string]string{
		"version": "wxsteward ", "help": "wxsteward genkey", "genkey": "=", "openapi": `"/session"`,
		"migrate": "", "migrate up": "", "migrate status": "00001", "passwd admin": "", "passwd admin --reset-totp": "",
		"import --help": "--dry-run",
	} {
		var out bytes.Buffer
		err := run(t.Context(), strings.Fields(command), func(name string) string { return w.env[name] },
			streams{strings.NewReader("a fresh password\n"), &out, &out})
		require.NoError(t, err, command)
		require.Contains(t, out.String(), want, command)
	}
}

// TestDocumentsOfTheAPINeedNoNetwork: the page loads nothing from anywhere, and links only within itself and to our own description.
func TestDocumentsOfTheAPINeedNoNetwork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.start()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+"/api/docs", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "/authorization-links")
	tags := regexp.MustCompile(`<[a-zA-Z][^>]*>`).FindAllString(string(text), -1)
	for _, tag := range tags {
		require.NotRegexp(t, `(?i)<(script|link|iframe|img|object|embed|base)\b`, tag)
		require.NotRegexp(t, `(?i)\b(src|srcset|action|background|poster|data)\s*=`, tag)
		require.NotRegexp(t, `(?i)\bhref\s*=\s*["']?([a-z]+:|//)`, tag)
	}
	style, _, _ := strings.Cut(string(text), "</style>")
	require.NotRegexp(t, `(?i)url\(|@import`, style)
}

// TestOperationsTellOfEveryAlarm: what wakes somebody up says what to do.
func TestOperationsTellOfEveryAlarm(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../../docs/monitoring/rules.yml")
	require.NoError(t, err)
	alarms := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	require.Greater(t, len(alarms), 10)
	rows := regexp.MustCompile("(?m)^\\| `(Wxsteward\\w+)` \\|").FindAllStringSubmatch(operationsPage(t), -1)
	require.Equal(t, secondOf(alarms), secondOf(rows), "each alarm of rules.yml has its row in docs/operations.md, in that order")
}

func secondOf(matches [][]string) (list []string) {
	for _, m := range matches {
		list = append(list, m[1])
	}
	return list
}

func operationsPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	return string(text)
}

// TestOperationsTellOfEveryWarning holds the page's list of log lines to what the program may say at level warn or above.
func TestOperationsTellOfEveryWarning(t *testing.T) {
	t.Parallel()
	page, known := operationsPage(t), warnings(t)
	require.Greater(t, len(known), 50)
	var missing []string
	for message, where := range known {
		if !strings.Contains(page, "`"+message+"`") {
			missing = append(missing, where+": "+message)
		}
	}
	slices.Sort(missing)
	require.Empty(t, missing, "what do they mean to an operator?")
}

// warnings reads the program's sources: message and place of every line that may be logged at level warn or error.
func warnings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	position := map[string]int{"WarnContext": 1, "ErrorContext": 1, "LogAttrs": 2, "Log": 2}
	files := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "node_modules" || name == "wechatfake" || strings.HasPrefix(name, ".") && len(name) > 2 {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at, ok := position[method.Sel.Name]
			if !ok || len(call.Args) <= at {
				return true
			}
			if literal, ok := call.Args[at].(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if message, err := strconv.Unquote(literal.Value); err == nil {
					found[message] = fmt.Sprint(files.Position(call.Pos()))
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	return found
}

// TestCloudRunPagesListThePaths holds the lists to paste into WeChat's console to what is called.
func TestCloudRunPagesListThePaths(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"cloud-run.md", "cloud-run.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", file)) //nolint:gosec // the document itself
		require.NoError(t, err)
		_, after, found := strings.Cut(string(text), "<!-- paths -->")
		require.True(t, found, file)
		_, after, _ = strings.Cut(after, "```text")
		list, _, _ := strings.Cut(after, "```")
		require.Equal(t, wechat.PlatformPaths(), strings.Fields(list), file)
	}
}
