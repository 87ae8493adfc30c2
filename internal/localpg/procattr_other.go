//go:build !linux

package localpg

import "syscall"

// ownProcess has no counterpart here: a server that outlives us is ended by the next start.
func ownProcess(*syscall.SysProcAttr, syscall.Signal) {}
