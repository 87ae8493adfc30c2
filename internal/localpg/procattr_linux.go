package localpg

import "syscall"

// ownProcess lets the kernel send sig to the program when we die, however we die. It is bound to the thread that
// starts the program, which must therefore live as long as the program should.
func ownProcess(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
