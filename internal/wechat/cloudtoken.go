package wechat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/wxsteward/wxsteward/internal/sealed"
)

// CloudTokenFile is where WeChat Cloud Run keeps the cloudbase_access_token: good for 30 minutes, renewed in place every 10.
//
// WeChat docs: https://developers.weixin.qq.com/minigame/dev/wxcloud/guide/container/cloudcall.html
const CloudTokenFile = "/.tencentcloudbase/wx/cloudbase_access_token" //nolint:gosec // names a token, is none

// CloudTokenProblem is why there is no cloud token.
type CloudTokenProblem string

// The problems of a cloud token's file.
const (
	CloudTokenMissing    CloudTokenProblem = "missing"
	CloudTokenEmpty      CloudTokenProblem = "empty"
	CloudTokenNotReady   CloudTokenProblem = "not_ready" // WeChat has not pushed the first one yet
	CloudTokenUnreadable CloudTokenProblem = "unreadable"
)

// CloudTokenError is a file without a usable cloud token.
type CloudTokenError struct {
	File    string
	Problem CloudTokenProblem
	Err     error // of the system; nil for an empty file
}

// Error names the file and the problem, never what is in the file.
func (e *CloudTokenError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("cloud token file %s is %s: %v", e.File, e.Problem, e.Err)
	}
	return fmt.Sprintf("cloud token file %s is %s", e.File, e.Problem)
}

// Unwrap gives the system's error.
func (e *CloudTokenError) Unwrap() error { return e.Err }

// In tells an operator what is wrong and what to do. lang is "en" or Chinese.
func (e *CloudTokenError) In(lang string) string {
	zh, en := e.texts()
	if lang == "en" {
		return en
	}
	return zh
}

func (e *CloudTokenError) texts() (zh, en string) {
	switch e.Problem {
	case CloudTokenMissing:
		return fmt.Sprintf("没有云令牌文件 %s：请在云托管控制台 → 云调用中开启微信令牌并发布新版本，或用 WX_CLOUD_TOKEN_FILE 指定文件。", e.File),
			fmt.Sprintf("There is no cloud token file %s: switch 微信令牌 on in the Cloud Run console (云调用) and publish a new version, or name the file in WX_CLOUD_TOKEN_FILE.", e.File)
	case CloudTokenEmpty:
		return fmt.Sprintf("云令牌文件 %s 是空的：微信每 10 分钟推送一次，请稍后再试；一直为空请检查云调用里的微信令牌。", e.File),
			fmt.Sprintf("The cloud token file %s is empty: WeChat pushes a token every 10 minutes, so wait; if it stays empty look at 微信令牌 in the Cloud Run console (云调用).", e.File)
	case CloudTokenNotReady:
		return fmt.Sprintf("云令牌文件 %s 里还是占位内容：微信还没有推送第一个令牌，请稍候。", e.File),
			fmt.Sprintf("The cloud token file %s holds a placeholder: WeChat has not pushed the first token yet. Wait a little.", e.File)
	default:
		return fmt.Sprintf("云令牌文件 %s 无法读取，请检查它的权限。", e.File),
			fmt.Sprintf("The cloud token file %s cannot be read. Check its permissions.", e.File)
	}
}

// cloudFile is the TokenSource of TransportCloudToken. The file is read for each call: it is small, and it changes in place.
type cloudFile struct{ file string }

// Token reads the file. One that is found empty is read again for a moment, since it may be about to be written.
func (f cloudFile) Token(ctx context.Context) (sealed.Secret, error) {
	const tries, pause = 5, 10 * time.Millisecond
	var err error
	for range tries {
		var token sealed.Secret
		token, err = f.read()
		if problem, ok := errors.AsType[*CloudTokenError](err); !ok || problem.Problem != CloudTokenEmpty {
			return token, err
		}
		select {
		case <-ctx.Done():
			return sealed.Secret{}, ctx.Err()
		case <-time.After(pause):
		}
	}
	return sealed.Secret{}, err
}

func (f cloudFile) read() (sealed.Secret, error) {
	const placeholder = "default-tcb-wx-access-token"
	content, err := os.ReadFile(f.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sealed.Secret{}, &CloudTokenError{File: f.file, Problem: CloudTokenMissing, Err: err}
	case err != nil:
		return sealed.Secret{}, &CloudTokenError{File: f.file, Problem: CloudTokenUnreadable, Err: err}
	}
	switch content = bytes.TrimSpace(content); {
	case len(content) == 0:
		return sealed.Secret{}, &CloudTokenError{File: f.file, Problem: CloudTokenEmpty}
	case string(content) == placeholder:
		return sealed.Secret{}, &CloudTokenError{File: f.file, Problem: CloudTokenNotReady}
	}
	return sealed.New(string(content)), nil
}

// Reject does nothing: only WeChat writes the file.
func (cloudFile) Reject(context.Context, sealed.Secret) error { return nil }
