package notice

import (
	"strconv"
	"strings"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/outbound"
)

// failure is why a try failed: a word, and behind a space what varies. It is stored as it is and said in the reader's
// language; empty: none.
type failure string

// The words of failures, beside those of outbound.Trouble.
const (
	failStatus   = "status"   // the status that was answered
	failRedirect = "redirect" // likewise
	failRobot    = "robot"    // the kind, the errcode and what the robot said
	failLimited  = "limited"  // no detail
	failNoRobot  = "no_robot" // no detail
	failSealed   = "sealed"   // no detail
	failDisabled = "disabled" // no detail
	failInvalid  = "invalid"  // no detail
	failPanic    = "panic"    // no detail
)

func failed(word, detail string) failure {
	const limit = 300
	detail = outbound.Printable(detail, limit)
	if detail == "" {
		return failure(word)
	}
	return failure(word + " " + detail)
}

// In says the failure in a language.
func (f failure) In(lang string) string {
	word, detail, _ := strings.Cut(string(f), " ")
	switch word {
	case "":
		return ""
	case failStatus:
		return fault.Say(lang, "The target answered with status %s.", detail)
	case failRedirect:
		return fault.Say(lang, "The target answered with a redirect (%s), which is not followed: enter the final address.", detail)
	case failRobot:
		return robotSays(lang, detail)
	case failLimited:
		return fault.Say(lang, "The robot has got too many messages lately. It goes on by itself.")
	case failNoRobot:
		return fault.Say(lang, "What answered is no robot of this kind. Check kind and address of the channel.")
	case failSealed:
		return fault.Say(lang, "The address of this channel cannot be opened with the present MASTER_KEY. Enter it again.")
	case failDisabled:
		return fault.Say(lang, "The channel was switched off before this was sent.")
	case failInvalid:
		return fault.Say(lang, "The secret of this channel cannot be used. Make a new one.")
	case failPanic:
		return fault.Say(lang, "The notice could not be written: a fault of ours, told in the log.")
	default:
		return outbound.SayTrouble(lang, word, detail)
	}
}

// robotSays tells what a robot answered, and what to do where its vendor says that.
func robotSays(lang, detail string) string {
	kind, detail, _ := strings.Cut(detail, " ")
	text, said, _ := strings.Cut(detail, " ")
	code, _ := strconv.Atoi(text) // 0 has no advice
	sentence := fault.Say(lang, "The robot refused the message: %s (errcode %s).", said, text)
	if advice := adviceFor(lang, kind, code, said); advice != "" {
		sentence += separator(lang) + advice
	}
	return sentence
}

// separator stands between two sentences.
func separator(lang string) string {
	if lang == fault.Chinese {
		return ""
	}
	return " "
}

func adviceFor(lang, kind string, code int, said string) string {
	said = strings.ToLower(said)
	switch {
	case kind == KindWeCom && (code == 93000 || code == 93004 || code == 93008),
		kind == KindDingTalk && (code == 300001 || code == 400013 || code == 400101 || code == 400102 || code == 400106),
		kind == KindFeishu && (code == 19001 || code == 19007):
		return fault.Say(lang, "The robot is gone or was stopped: enter the address of a working one.")
	case kind == KindDingTalk && code == 310000 && strings.Contains(said, "keyword"), kind == KindFeishu && code == 19024:
		return fault.Say(lang, "Add the keyword wxsteward to the robot: every notice holds it.")
	case kind == KindDingTalk && code == 310000 && strings.Contains(said, "whitelist"), kind == KindFeishu && code == 19022:
		return fault.Say(lang, "Add the addresses of this server to the robot's IP list.")
	case kind == KindDingTalk && code == 310000, kind == KindFeishu && code == 19021:
		return fault.Say(lang, "Compare the secret of the channel with the robot's, and the clock of this server with the time.")
	}
	return ""
}
