package codesubmit

import (
	"bytes"
	"context"
	"errors"
	"image"
	_ "image/gif"  // for checkImage
	_ "image/jpeg" // for checkImage
	_ "image/png"  // for checkImage
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wxsteward/wxsteward/internal/fault"
	"github.com/wxsteward/wxsteward/internal/postgres"
	"github.com/wxsteward/wxsteward/internal/wechat"
)

// What WeChat takes as material for an audit (wxa/uploadmedia). Temporary materials for an answer to the reviewers may
// be of the same kinds.
const (
	mostImageBytes = 2 << 20
	mostVideoBytes = 10 << 20
)

// MediaType is image or video.
type MediaType string

// The types of media.
const (
	MediaImage MediaType = "image"
	MediaVideo MediaType = "video"
)

// Media is a picture or video for WeChat's reviewers. WeChat keeps uploads for three days and by merchant, so the file
// stays here and goes to a merchant's account when its submission needs it.
type Media struct {
	ID          int64
	Name        string
	Type        MediaType
	ContentType string
	Size        int
	CreatedAt   time.Time
}

// The two uploads that WeChat has; an id of one is refused in the place of the other (85092).
const (
	usePreview  = "preview"  // wxa/uploadmedia, for preview_info
	useFeedback = "feedback" // cgi-bin/media/upload, for feedback_stuff
)

// uploadLasts is how long an upload is used again. WeChat keeps it for three days.
const uploadLasts = 60 * time.Hour

// mediaLasts is how long a file is kept after its last use.
const mediaLasts = 30 * 24 * time.Hour

// AddMedia keeps a file. Its type is what the bytes are, whatever its name says.
func (s *Service) AddMedia(ctx context.Context, name string, data []byte, by string) (Media, error) {
	m := Media{Name: name, ContentType: http.DetectContentType(data), Size: len(data), CreatedAt: s.cfg.Now()}
	switch {
	case len(data) == 0:
		return m, fault.Invalid("body.file", "The file is empty.", nil)
	case slices.Contains([]string{"image/png", "image/jpeg", "image/gif"}, m.ContentType):
		m.Type = MediaImage
		if _, _, err := image.DecodeConfig(bytes.NewReader(data)); err != nil {
			return m, fault.Invalid("body.file", "The picture is damaged.", nil)
		}
		if len(data) > mostImageBytes {
			return m, fault.New(fault.TooLarge, "A picture has at most %d MB.", mostImageBytes>>20)
		}
	case m.ContentType == "video/mp4":
		m.Type = MediaVideo
		if len(data) > mostVideoBytes {
			return m, fault.New(fault.TooLarge, "A video has at most %d MB.", mostVideoBytes>>20)
		}
	default:
		return m, fault.Invalid("body.file", "WeChat's reviewers take pictures (PNG, JPEG, GIF) and videos (MP4).", nil)
	}
	err := s.db.QueryRow(ctx, `INSERT INTO audit_media (name, type, content_type, bytes, created_by, created_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id`, m.Name, m.Type, m.ContentType, data, by, m.CreatedAt).Scan(&m.ID)
	return m, err
}

// mediaBytes reads a file.
func (s *Service) mediaBytes(ctx context.Context, id int64) (m Media, data []byte, err error) {
	err = s.db.QueryRow(ctx, `SELECT id, name, type, content_type, bytes, created_at FROM audit_media WHERE id = $1`, id).
		Scan(&m.ID, &m.Name, &m.Type, &m.ContentType, &data, &m.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, nil, fault.New(fault.NotFound, "There is no uploaded file with the id %q.", strconv.FormatInt(id, 10))
	}
	m.Size = len(data)
	return m, data, err
}

// mediaFits checks that all files of a profile are here and of the right type.
func (s *Service) mediaFits(ctx context.Context, a *AuditSpec) error {
	ids := a.media()
	if len(ids) == 0 {
		return nil
	}
	types, err := s.mediaTypes(ctx, ids)
	if err != nil {
		return err
	}
	var wrong fault.Collector
	want := func(at string, list []string, typ MediaType) {
		for _, id := range list {
			switch got := types[id]; got {
			case typ:
			case "":
				wrong.Add(at, "There is no uploaded file with the id %q.", id, id)
			default:
				wrong.Add(at, "The file %q is of another type than is wanted here.", id, id)
			}
		}
	}
	want("body.audit.feedback_stuff", a.FeedbackStuff, MediaImage)
	if p := a.PreviewInfo; p != nil {
		want("body.audit.preview_info.pic_id_list", p.PicIDList, MediaImage)
		want("body.audit.preview_info.video_id_list", p.VideoIDList, MediaVideo)
	}
	return wrong.Err()
}

func (s *Service) mediaTypes(ctx context.Context, ids []string) (map[string]MediaType, error) {
	rows, err := s.db.Query(ctx, `SELECT id::text, type FROM audit_media WHERE id::text = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	types := map[string]MediaType{}
	var id string
	var typ MediaType
	_, err = pgx.ForEachRow(rows, []any{&id, &typ}, func() error {
		types[id] = typ
		return nil
	})
	return types, err
}

// errUploadsBusy says that as many files as memory allows are on their way already.
var errUploadsBusy = errors.New("uploads are busy")

// mediaUploads are the ids under which WeChat knows a merchant's files.
type mediaUploads struct {
	fresh   bool // all were uploaded just now
	ids     []int64
	preview *wechat.PreviewInfo
	stuff   []string
}

// upload gives the merchant the files of its profile, so far as it does not have them. The merchant's lock is held.
func (s *Service) upload(ctx context.Context, w *work) (mediaUploads, error) {
	a := &w.spec.Audit
	up := mediaUploads{fresh: true}
	all := func(list []string, use string) (ids []string, err error) {
		for _, text := range list {
			id, err := idNumber(text)
			if err != nil {
				return nil, err
			}
			known, err := s.uploadFor(ctx, w, id, use, &up.fresh)
			if err != nil {
				return nil, err
			}
			up.ids, ids = append(up.ids, id), append(ids, known)
		}
		return ids, nil
	}
	var err error
	if up.stuff, err = all(a.FeedbackStuff, useFeedback); err != nil || a.PreviewInfo == nil {
		return up, err
	}
	up.preview = &wechat.PreviewInfo{}
	if up.preview.PicIDs, err = all(a.PreviewInfo.PicIDList, usePreview); err != nil {
		return up, err
	}
	up.preview.VideoIDs, err = all(a.PreviewInfo.VideoIDList, usePreview)
	return up, err
}

// uploadFor is the id of a file in a merchant's account, uploading it where there is none or an old one.
func (s *Service) uploadFor(ctx context.Context, w *work, id int64, use string, fresh *bool) (string, error) {
	var known string
	err := s.db.QueryRow(ctx, `SELECT wechat_id FROM audit_media_upload WHERE media_id = $1 AND appid = $2 AND use = $3 AND uploaded_at > $4`,
		id, w.AppID, use, s.cfg.Now().Add(-uploadLasts)).Scan(&known)
	if err == nil {
		*fresh = false
		return known, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return "", err
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return "", errUploadsBusy
	}
	m, data, err := s.mediaBytes(ctx, id)
	if told, ok := errors.AsType[*fault.Error](err); ok && told.Kind == fault.NotFound {
		return "", &StepError{Code: "media_gone", Detail: factFrom(told)}
	}
	if err != nil {
		return "", err
	}
	name := "file" + map[string]string{"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "video/mp4": ".mp4"}[m.ContentType]
	if use == useFeedback {
		up, err := w.api.UploadTempMedia(ctx, name, data)
		if err != nil {
			return "", err
		}
		known = up.MediaID
	} else {
		up, err := w.api.UploadAuditMedia(ctx, name, data)
		if err != nil {
			return "", err
		}
		known = up.MediaID
	}
	return known, s.keepUpload(ctx, id, w.AppID, use, known)
}

func (s *Service) keepUpload(ctx context.Context, id int64, appid, use, known string) error {
	return pgx.BeginFunc(ctx, s.db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE audit_media SET used_at = $2 WHERE id = $1`, id, s.cfg.Now()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO audit_media_upload (media_id, appid, use, wechat_id, uploaded_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (media_id, appid, use) DO UPDATE SET wechat_id = excluded.wechat_id, uploaded_at = excluded.uploaded_at`,
			id, appid, use, known, s.cfg.Now())
		return err
	})
}

// forgetUploads has files uploaded anew, for WeChat does not know them any more.
func (s *Service) forgetUploads(ctx context.Context, db postgres.DB, appid string, ids []int64) error {
	_, err := db.Exec(ctx, `DELETE FROM audit_media_upload WHERE appid = $1 AND media_id = ANY($2)`, appid, ids)
	return err
}

// dropMedia removes files that nobody has used for long.
func (s *Service) dropMedia(ctx context.Context) error {
	_, err := s.db.Exec(ctx, `DELETE FROM audit_media WHERE used_at < $1`, s.cfg.Now().Add(-mediaLasts))
	return err
}
