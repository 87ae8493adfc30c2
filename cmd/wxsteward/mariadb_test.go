package main

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// program finds one of MariaDB's programs.
func mariadbProgram(names ...string) string {
	for _, name := range names {
		for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/libexec/" + name} {
			if path, err := exec.LookPath(candidate); err == nil {
				return path
			}
		}
	}
	return ""
}

// peerPassword is of the database user of 服务商微管家; it must show up nowhere.
const peerPassword = "peer-password-4711"

// newMariaDB starts a server with the empty tables of 服务商微管家 and gives its DSN. MariaDB is what .ci/need installs as "mariadb".
func newMariaDB(t *testing.T) (*sql.DB, *mysql.Config) {
	t.Helper()
	install, server := mariadbProgram("mariadb-install-db", "mysql_install_db"), mariadbProgram("mariadbd", "mysqld")
	if install == "" || server == "" {
		t.Skip("MariaDB is not installed: .ci/need mariadb")
	}
	dir, err := os.MkdirTemp("", "wxmaria") //nolint:usetesting // the path of a socket has a limit
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	data, user := filepath.Join(dir, "data"), "--user="+currentUser()
	out, err := exec.CommandContext(t.Context(), install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", //nolint:gosec // fixed programs
		"--skip-test-db", "--skip-name-resolve", user).CombinedOutput()
	require.NoError(t, err, string(out))
	port := freePort(t)
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(server, "--no-defaults", "--datadir="+data, "--socket="+socket, "--bind-address=127.0.0.1", "--port="+port, //nolint:gosec,noctx // ended below
		"--pid-file="+filepath.Join(dir, "pid"), "--default-time-zone=+08:00", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", user)
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed below
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	root := mysql.NewConfig()
	root.User, root.Net, root.Addr, root.MultiStatements, root.Timeout = "root", "unix", socket, true, 5*time.Second
	connector, err := mysql.NewConnector(root)
	require.NoError(t, err)
	admin := sql.OpenDB(connector)
	t.Cleanup(func() { _ = admin.Close() })
	eventually(t, "MariaDB", func() (bool, string) {
		err := admin.PingContext(t.Context())
		return err == nil, log.String()
	})
	_, err = admin.ExecContext(t.Context(), "CREATE DATABASE wxcomponent; CREATE USER peer@'127.0.0.1' IDENTIFIED BY '"+peerPassword+"'; GRANT ALL ON wxcomponent.* TO peer@'127.0.0.1'")
	require.NoError(t, err)
	peer := mysql.NewConfig()
	peer.User, peer.Passwd, peer.Net, peer.Addr, peer.DBName = "peer", peerPassword, "tcp", "127.0.0.1:"+port, "wxcomponent"
	schema, err := os.ReadFile(filepath.Join("testdata", "wxcomponent.sql"))
	require.NoError(t, err)
	theirs := peer.Clone()
	theirs.MultiStatements, theirs.ParseTime = true, true
	theirs.Loc, err = time.LoadLocation("Asia/Shanghai") // of the container of 服务商微管家
	require.NoError(t, err)
	connector, err = mysql.NewConnector(theirs)
	require.NoError(t, err)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(8)
	t.Cleanup(func() { _ = db.Close() })
	_, err = db.ExecContext(t.Context(), string(schema))
	require.NoError(t, err)
	return db, peer
}

func currentUser() string {
	if os.Getuid() == 0 {
		return "root" // it refuses to be root unless told
	}
	return strconv.Itoa(os.Getuid())
}
