// Package spreadsheet writes CSV that Excel and its like read as it is meant.
package spreadsheet

import "strings"

// BOM is the byte order mark of UTF-8. Without it at the beginning of a file Excel takes Chinese for something else.
const BOM = "\xef\xbb\xbf"

// formulas are characters at the beginning of a cell that make a spreadsheet take it for a formula.
const formulas = "=+-@\t\r＝＋－＠"

// Protect keeps a spreadsheet from taking a cell for a formula.
func Protect(cell string) string {
	if begin := strings.TrimLeft(cell, "'"); begin != "" && strings.ContainsRune(formulas, []rune(begin)[0]) {
		return "'" + cell
	}
	return cell
}

// Unprotect gives back what Protect was given.
func Unprotect(cell string) string {
	if rest, ok := strings.CutPrefix(cell, "'"); ok && Protect(rest) == cell {
		return rest
	}
	return cell
}
