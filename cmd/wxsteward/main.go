// Command wxsteward is a steward for a WeChat third-party platform: see README.md.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// version and commit are set by the linker; a plain go build takes them from the build information.
var version, commit string //nolint:gochecknoglobals // the linker can only set variables

func main() {
	reserved := collectLess()
	defer runtime.KeepAlive(reserved)
	// The first signal asks to stop, the second ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Getenv, streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wxsteward: "+strings.ReplaceAll(err.Error(), "\n", " "))
		os.Exit(1)
	}
}

// collectLess keeps garbage collection from running many times a second when little is in use and pushes make much garbage: the
// collector counts memory that is reserved and never touched, so none is spent on it. With GOGC or GOMEMLIMIT set, they alone
// decide.
func collectLess() (reserved []byte) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	const size = 32 << 20
	return make([]byte, size)
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run carries out one command.
func run(ctx context.Context, args []string, env environment, io streams) error {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return serve(ctx, env, io)
	case "simulate":
		return simulate(ctx, env, io)
	case "migrate":
		return migrate(ctx, args, env, io)
	case "genkey":
		_, _ = fmt.Fprintln(io.out, sealed.GenerateKey())
		return nil
	case "passwd":
		return passwd(ctx, args, env, io)
	case "import":
		return importPredecessor(ctx, args, env, io)
	case "version", "--version", "-v":
		_, _ = fmt.Fprintln(io.out, versionLine())
		return nil
	case "openapi":
		return writeOpenAPI(io.out)
	case "help", "--help", "-h":
		_, _ = fmt.Fprint(io.out, usage)
		return nil
	case "rekey":
		return rekeyDatabase(ctx, env, io)
	default:
		return fmt.Errorf("there is no command %q; see wxsteward help", command)
	}
}

const usage = `wxsteward, a steward for a WeChat third-party platform

  wxsteward [serve]             serve until SIGTERM or SIGINT
  wxsteward simulate            serve with a simulated WeChat and sample merchants; nothing to configure
  wxsteward migrate [up|status] database migrations only
  wxsteward genkey              print a fresh MASTER_KEY
  wxsteward rekey               seal every stored secret with the key in NEW_MASTER_KEY, or one line on stdin
  wxsteward passwd USER [--reset-totp]
                                set a user's password (prompt, or one line on stdin); with --reset-totp
                                also take the second factor away
  wxsteward import              take over what 服务商微管家 has stored in MySQL; see wxsteward import --help
  wxsteward openapi             print the description of the admin API
  wxsteward version             version, commit and Go version

Settings come from the environment; README.md lists them.
`

func versionLine() string {
	v, c := buildVersion()
	return fmt.Sprintf("wxsteward %s (commit %s, %s)", v, c, runtime.Version())
}

func buildVersion() (string, string) {
	v, c := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if c == "" && s.Key == "vcs.revision" {
				c = s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}

// readPassword asks twice on a terminal, else takes one line.
func readPassword(user string, io streams) (string, error) {
	if f, ok := io.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		ask := func(prompt string) (string, error) {
			_, _ = fmt.Fprint(io.err, prompt)
			text, err := term.ReadPassword(int(f.Fd()))
			_, _ = fmt.Fprintln(io.err)
			return string(text), err
		}
		first, err := ask("New password for " + user + ": ")
		if err != nil {
			return "", err
		}
		second, err := ask("Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", errors.New("the two passwords differ; nothing was changed")
		}
		return first, nil
	}
	line, err := readLine(io, "")
	if err != nil {
		return "", errors.New("no password on stdin: give one line, or call this on a terminal")
	}
	return line, nil
}

// readLine takes one line of stdin, which a terminal does not show. It fails when there is none.
func readLine(io streams, prompt string) (string, error) {
	if f, ok := io.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		_, _ = fmt.Fprint(io.err, prompt)
		text, err := term.ReadPassword(int(f.Fd()))
		_, _ = fmt.Fprintln(io.err)
		return string(text), err
	}
	line, err := bufio.NewReader(io.in).ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
