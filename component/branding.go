package component

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // what a logo may be
	_ "image/png"  // likewise
	"regexp"
	"strings"
)

// Branding is what merchants see of us on our own pages.
const (
	keyLogo   = "component.logo"    // a data URL
	keyLogoID = "component.logo_id" // first hex digits of its SHA-256
	keyColor  = "component.color"   // #rrggbb

	maxLogoBytes  = 256 << 10
	maxLogoPixels = 2048 // on each side
	logoIDBytes   = 8
)

var colorPattern = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// Logo is the picture of the platform. Only pictures given to us are shown, never a foreign address: a merchant's page asks
// no other host for anything.
type Logo struct {
	ID   string // changes with the picture
	Type string // image/png or image/jpeg
	Data []byte
}

// Logo reads the picture; false if there is none.
func (s *Service) Logo(ctx context.Context) (Logo, bool, error) {
	text, ok, err := s.deps.Settings.Get(ctx, keyLogo)
	if err != nil || !ok || text == "" {
		return Logo{}, false, err
	}
	logo, err := parseLogo(text)
	if err != nil {
		return Logo{}, false, fmt.Errorf("setting %s: %w", keyLogo, err)
	}
	return logo, true, nil
}

// parseLogo reads a data URL with a PNG or JPEG picture. SVG is refused: it may hold scripts.
func parseLogo(text string) (Logo, error) {
	head, encoded, ok := strings.Cut(strings.TrimSpace(text), ",")
	kind, isData := strings.CutPrefix(head, "data:")
	kind, isBase64 := strings.CutSuffix(kind, ";base64")
	if !ok || !isData || !isBase64 || len(encoded) > base64.StdEncoding.EncodedLen(maxLogoBytes) {
		return Logo{}, errors.New("not a data URL of a small picture")
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(data) > maxLogoBytes {
		return Logo{}, errors.New("not base64, or too large")
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || kind != "image/"+format {
		return Logo{}, errors.New("not the PNG or JPEG picture that it says")
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxLogoPixels || config.Height > maxLogoPixels {
		return Logo{}, errors.New("too many pixels")
	}
	sum := sha256.Sum256(data)
	return Logo{ID: hex.EncodeToString(sum[:logoIDBytes]), Type: kind, Data: data}, nil
}

// dataURL is the form in which a logo is stored.
func (l Logo) dataURL() string {
	return "data:" + l.Type + ";base64," + base64.StdEncoding.EncodeToString(l.Data)
}
