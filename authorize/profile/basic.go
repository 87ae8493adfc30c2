package profile

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// BasicInfo reads name, avatar and introduction with the changes left for each.
func (s *Service) BasicInfo(ctx context.Context, appid string) (info wechat.BasicInfo, err error) {
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		info, err = api.BasicInfo(ctx)
		return err
	})
	return info, err
}

// CheckNickname asks WeChat about a name before it is set.
func (s *Service) CheckNickname(ctx context.Context, appid, name string) (check wechat.NicknameCheck, err error) {
	if err := checkText("body.nick_name", name); err != nil {
		return check, err
	}
	err = s.read(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) (err error) {
		check, err = api.CheckNickname(ctx, name)
		return err
	})
	return check, err
}

// checkText wants text; how long it may be is WeChat's to say, who counts in its own way.
func checkText(location, text string) error {
	const longest = 300
	if strings.TrimSpace(text) == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > longest || strings.ContainsFunc(text, unicode.IsControl) {
		return fault.Invalid(location, "Enter a text of 1 to %d characters, without control characters.", nil, longest)
	}
	return nil
}

// SetNickname asks for a name. Where WeChat reviews it the change is reviewing.
func (s *Service) SetNickname(ctx context.Context, appid, by string, r wechat.NicknameRequest) (Change, error) {
	if err := checkText("body.nick_name", r.Name); err != nil {
		return Change{}, err
	}
	return s.change(ctx, attempt{
		appid: appid, by: by, kind: kindNickname, subject: r.Name,
		call: func(ctx context.Context, api *wechat.Authorizer) (answer, error) {
			set, err := api.SetNickname(ctx, r)
			return answer{auditID: set.AuditID, words: set.Wording}, err
		},
	})
}

// SetSignature sets the introduction.
func (s *Service) SetSignature(ctx context.Context, appid, by, text string) (Change, error) {
	if err := checkText("body.signature", text); err != nil {
		return Change{}, err
	}
	return s.change(ctx, attempt{
		appid: appid, by: by, kind: kindSignature, subject: text,
		call: func(ctx context.Context, api *wechat.Authorizer) (answer, error) {
			return answer{}, api.SetSignature(ctx, text)
		},
	})
}

// maxImage is what WeChat takes of pictures, in bytes.
const maxImage = 2 << 20

func checkImage(image []byte) error {
	kind := http.DetectContentType(image)
	if len(image) == 0 || len(image) > maxImage || kind != "image/png" && kind != "image/jpeg" && kind != "image/gif" {
		return fault.Invalid("body", "The picture is a PNG, JPEG or GIF of at most 2 MB.", nil)
	}
	return nil
}

// SetAvatar uploads a picture and makes the part of it in crop the avatar.
func (s *Service) SetAvatar(ctx context.Context, appid, by string, image []byte, crop wechat.Crop) (Change, error) {
	if err := checkImage(image); err != nil {
		return Change{}, err
	}
	if !(crop.X1 >= 0 && crop.X1 < crop.X2 && crop.X2 <= 1 && crop.Y1 >= 0 && crop.Y1 < crop.Y2 && crop.Y2 <= 1) {
		return Change{}, fault.Invalid("query.crop", "A crop is four numbers from 0 to 1: left, top, right, bottom.", nil)
	}
	return s.change(ctx, attempt{
		appid: appid, by: by, kind: kindAvatar, subject: "",
		call: func(ctx context.Context, api *wechat.Authorizer) (answer, error) {
			media, err := api.UploadTempMedia(ctx, imageName(image), image)
			if err != nil {
				return answer{before: true}, err // nothing has been set yet
			}
			return answer{}, api.SetHeadImage(ctx, media.MediaID, crop)
		},
	})
}

func imageName(image []byte) string {
	_, kind, _ := strings.Cut(http.DetectContentType(image), "/")
	return "image." + kind
}

// Upload keeps a picture at WeChat for three days, for the proofs that names and categories ask for.
func (s *Service) Upload(ctx context.Context, appid string, image []byte) (mediaID string, err error) {
	if err := checkImage(image); err != nil {
		return "", err
	}
	err = s.write(ctx, appid, func(ctx context.Context, api *wechat.Authorizer) error {
		media, err := api.UploadTempMedia(ctx, imageName(image), image)
		mediaID = media.MediaID
		return err
	})
	return mediaID, err
}
