package msgcrypt

import "fmt"

// Error is a failure named by the codes of WeChat's own sample code. Compare with errors.Is and the Err values.
type Error struct{ Code int }

// The failures this package reports, with WeChat's codes.
var (
	ErrSignature = &Error{Code: -40001} // no token made this signature
	ErrParse     = &Error{Code: -40002} // the envelope is neither the XML nor the JSON it should be
	ErrAESKey    = &Error{Code: -40004} // the EncodingAESKey is not 43 characters of base64
	ErrReceiver  = &Error{Code: -40005} // the message is for another receiver
	ErrEncrypt   = &Error{Code: -40006} // the message is too long to be encrypted
	ErrDecrypt   = &Error{Code: -40007} // not whole AES blocks, or wrong padding
	ErrBuffer    = &Error{Code: -40008} // the decrypted text is too short for its own length field
	ErrBase64    = &Error{Code: -40010} // the ciphertext is not base64
	ErrReply     = &Error{Code: -40011} // the reply cannot be built
)

// Error says what failed, never with what.
func (e *Error) Error() string {
	var what string
	switch e.Code {
	case ErrSignature.Code:
		what = "signature does not match"
	case ErrParse.Code:
		what = "envelope cannot be parsed"
	case ErrAESKey.Code:
		what = "invalid EncodingAESKey"
	case ErrReceiver.Code:
		what = "message is for another receiver"
	case ErrEncrypt.Code:
		what = "message cannot be encrypted"
	case ErrDecrypt.Code:
		what = "message cannot be decrypted"
	case ErrBuffer.Code:
		what = "decrypted message is malformed"
	case ErrBase64.Code:
		what = "ciphertext is not base64"
	case ErrReply.Code:
		what = "reply cannot be built"
	default:
		what = "failure"
	}
	return fmt.Sprintf("msgcrypt: %s (%d)", what, e.Code)
}

// Is makes errors.Is compare by code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}
