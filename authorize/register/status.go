package register

import "github.com/wxsteward/wxsteward/internal/fault"

// statusText says how a registration stands: what a number of WeChat's means, of its event where there was one, else of its
// task as it was asked about last, which may have been long before the end. Empty where the state says all.
func statusText(r Registration, lang string) string {
	if text := visitText(r, lang); text != "" {
		return text
	}
	switch r.State {
	case stateCompleted, stateCanceled:
		return ""
	case stateCreated:
		return fault.Say(lang, "The mini program is created.")
	case stateExpired:
		return fault.Say(lang, "Nobody confirmed within 24 hours. Try again and have the owner confirm in time.")
	}
	if r.Result != nil && *r.Result != 0 {
		if text := resultText(*r.Result, lang); text != "" {
			return text
		}
		return r.Msg
	}
	if r.Status == nil {
		return ""
	}
	switch *r.Status {
	case 0:
		return fault.Say(lang, "Waits for the owner to open the address.")
	case 1:
		return fault.Say(lang, "Nobody confirmed within 24 hours. Try again and have the owner confirm in time.")
	case 2:
		return fault.Say(lang, "The owner has refused.")
	case 3:
		return fault.Say(lang, "The owner has agreed.")
	case 4:
		return fault.Say(lang, "The face check has begun.")
	case 5:
		return fault.Say(lang, "The face check failed; the owner can open the address again.")
	case 6:
		return fault.Say(lang, "The face check is passed.")
	case 7:
		return fault.Say(lang, "A code was sent to the owner's phone.")
	case 8:
		return fault.Say(lang, "The phone check failed; the owner can open the address again.")
	case 9:
		return fault.Say(lang, "The phone check is passed.")
	case 10:
		return fault.Say(lang, "WeChat has the data and is checking them.")
	case 11:
		return fault.Say(lang, "WeChat did not create the mini program. Try again; if it goes on, ask WeChat.")
	case 12:
		return fault.Say(lang, "The mini program is created.")
	case 13:
		return fault.Say(lang, "The mini program is created and verified.")
	case 14:
		return fault.Say(lang, "The verification failed. Check the owner's data and try again.")
	}
	return resultText(*r.Status, lang)
}

// visitText tells what is particular to the kinds that begin on WeChat's page.
func visitText(r Registration, lang string) string {
	failed := func(ok *bool) bool { return ok != nil && !*ok }
	switch {
	case kinds()[r.Kind].page == "":
		return ""
	case r.State == stateCompleted && failed(r.VerifyCopied):
		return fault.Say(lang, "WeChat did not carry the official account's verification over; the mini program has to be verified by itself.")
	case r.State == stateCompleted && failed(r.Linked):
		return fault.Say(lang, "WeChat did not link the mini program to the official account; the merchant can do so in WeChat's console.")
	case !r.Refusal.Away:
		return ""
	case r.State == stateSent:
		return fault.Say(lang, "WeChat's answer was lost. Whether the mini program was made is being looked up in WeChat's list of merchants.")
	case r.State == stateWaiting:
		return fault.Say(lang, "The last attempt came to nothing that shows. Have the administrator open the address once more.")
	case r.State == stateFailed && r.Kind == kindAdminChange:
		return fault.Say(lang, "WeChat's answer was lost, and WeChat does not tell who the administrator is. Ask the merchant whether the new one can sign in; if not, try again.")
	}
	return ""
}

func resultText(n int, lang string) string {
	switch n {
	case -1:
		return fault.Say(lang, "The names of company and legal person do not agree. Correct them and try again.")
	case 100001, 100002, 100003:
		return fault.Say(lang, "Nobody confirmed within 24 hours. Try again and have the owner confirm in time.")
	case 101:
		return fault.Say(lang, "The company is deregistered.")
	case 102:
		return fault.Say(lang, "The company does not exist, or its data are not up to date yet.")
	case 103, 104:
		return fault.Say(lang, "Name or identity card of the legal person do not agree with the register. Correct them and try again.")
	case 105:
		return fault.Say(lang, "The register does not have the identity card yet. Try again in 5 to 15 working days.")
	case 1000:
		return fault.Say(lang, "The data of company or legal person do not agree with the register. Correct them and try again.")
	case 1001:
		return fault.Say(lang, "The owner has as many mini programs as allowed. It must close one first.")
	case 1002, 1004, 1006, 1008:
		return fault.Say(lang, "WeChat has put the owner, administrator or phone number on its black list. Use another, or ask WeChat.")
	case 1003:
		return fault.Say(lang, "The administrator is bound to as many accounts as allowed. Choose another administrator.")
	case 1005:
		return fault.Say(lang, "The administrator's phone is bound to as many accounts as allowed. Use another phone number.")
	case 1007:
		return fault.Say(lang, "The administrator's identity card has registered as many accounts as allowed. Choose another administrator.")
	}
	return ""
}
