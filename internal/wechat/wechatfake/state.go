package wechatfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is everything the fake remembers. It is read and written under Server.mu and saved as one JSON document.
type state struct {
	ComponentAppID string   `json:"component_appid"`
	Settings       Settings `json:"settings"`

	Tickets []ticket             `json:"tickets"` // newest last
	Tokens  map[string]*token    `json:"tokens"`
	PreAuth map[string]time.Time `json:"pre_auth_codes"` // code → expiry
	// CloudTokens are the cloudbase_access_tokens with their ends.
	CloudTokens map[string]time.Time  `json:"cloud_tokens"`
	Codes       map[string]*authCode  `json:"auth_codes"`
	Consents    map[string]*consent   `json:"consents"`
	Vouchers    map[string]*voucher   `json:"vouchers"`
	JSCodes     map[string]*loginCode `json:"js_codes"`
	Secrets     []string              `json:"secrets"`

	Registrations []*Registration `json:"registrations"` // oldest first

	CloudEnvs   []*CloudEnv          `json:"cloud_envs"` // oldest first
	CloudOffers []*CloudOffer        `json:"cloud_offers"`
	CloudPushes map[string]cloudPush `json:"cloud_pushes"` // by appid

	Merchants map[string]*account `json:"merchants"`
	Order     []string            `json:"order"` // appids in the order they were added
	Drafts    []Draft             `json:"drafts"`
	Templates []Template          `json:"templates"`
	Audits    map[int64]*audit    `json:"audits"`
	Media     map[string]*medium  `json:"media"`
	Server    domainCopies        `json:"platform_server_domains"`
	Jump      domainCopies        `json:"platform_jump_domains"`
	Changes   map[string]int      `json:"platform_domain_changes"`

	NextAudit    int64 `json:"next_audit"`
	NextTemplate int64 `json:"next_template"`
	NextDraft    int64 `json:"next_draft"`
	NextFault    int   `json:"next_fault"`
	NextPush     int64 `json:"next_push"`
	NextCall     int64 `json:"next_call"`

	Faults     []*Fault       `json:"faults"`
	NextEvents []string       `json:"next_events"`
	Pushes     []*Push        `json:"pushes"`
	Calls      []Call         `json:"calls"`
	Effective  map[string]int `json:"effective"` // by path and appid
	Unknown    map[string]int `json:"unknown"`
	Daily      map[string]int `json:"daily"`  // calls by day, account and path
	Resets     map[string]int `json:"resets"` // quota resets by month and account
	RIDs       []requestInfo  `json:"rids"`
	Messages   []SentMessage  `json:"messages"` // customer messages the platform sent

	minute map[string]int // calls by minute, account and path; not worth saving
}

type ticket struct {
	Value string    `json:"value"`
	At    time.Time `json:"at"`
}

func newState(c Config) *state {
	return &state{ComponentAppID: c.ComponentAppID, Settings: c.settings(), NextAudit: 4211202267}
}

// fill makes the maps a fresh or older document lacks.
func (st *state) fill() {
	mk(&st.Tokens)
	mk(&st.PreAuth)
	mk(&st.CloudTokens)
	mk(&st.CloudPushes)
	mk(&st.Codes)
	mk(&st.Consents)
	mk(&st.Vouchers)
	mk(&st.JSCodes)
	mk(&st.Merchants)
	mk(&st.Audits)
	mk(&st.Media)
	mk(&st.Changes)
	mk(&st.Effective)
	mk(&st.Unknown)
	mk(&st.Daily)
	mk(&st.Resets)
	mk(&st.minute)
	for _, a := range st.Merchants {
		mk(&a.Third)
		mk(&a.Direct)
		mk(&a.DomainChanges)
		mk(&a.Interfaces)
		mk(&a.Options)
	}
}

func mk[K comparable, V any](m *map[K]V) {
	if *m == nil {
		*m = map[K]V{}
	}
}

// loadState reads the state file; a missing one is a new state.
func loadState(c Config) (*state, error) {
	st := newState(c)
	if c.StateFile != "" {
		data, err := os.ReadFile(c.StateFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("wechatfake: read state: %w", err)
		default:
			if err := json.Unmarshal(data, st); err != nil {
				return nil, fmt.Errorf("wechatfake: state file %s: %w", c.StateFile, err)
			}
			if st.ComponentAppID != c.ComponentAppID {
				return nil, fmt.Errorf("wechatfake: state file %s belongs to component %q, not %q", c.StateFile, st.ComponentAppID, c.ComponentAppID)
			}
		}
	}
	st.fill()
	return st, nil
}

// changed notes, under mu, that the state differs from the file.
func (s *Server) changed() {
	if s.cfg.StateFile == "" {
		return
	}
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// saver writes the state file soon after a change, many changes at once.
func (s *Server) saver() {
	const debounce = 300 * time.Millisecond
	for {
		select {
		case <-s.done:
			return
		case <-s.dirty:
		}
		s.pause(debounce)
		if err := s.save(); err != nil {
			s.log.Error("state not saved", "error", err)
		}
	}
}

const savedCalls = 300 // of the call log, which would be most of the file

// save writes the state to a neighbour file and renames it, so that a crash leaves the old or the new state.
func (s *Server) save() error {
	if s.cfg.StateFile == "" {
		return nil
	}
	s.saveMu.Lock()
	defer s.saveMu.Unlock()
	s.mu.Lock()
	kept := *s.st
	kept.Calls = kept.Calls[max(0, len(kept.Calls)-savedCalls):]
	data, err := json.Marshal(kept)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("wechatfake: encode state: %w", err)
	}
	dir := filepath.Dir(s.cfg.StateFile)
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec,nolintlint // the operator's path; gosec's taint analysis notices it only in some runs
		return fmt.Errorf("wechatfake: save state: %w", err)
	}
	f, err := os.CreateTemp(dir, ".wechatfake-*")
	if err != nil {
		return fmt.Errorf("wechatfake: save state: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.cfg.StateFile) //nolint:gosec,nolintlint // the operator's path; gosec's taint analysis notices it only in some runs
	}
	if err != nil {
		_ = os.Remove(f.Name()) //nolint:gosec,nolintlint // the file made above; see there
		return fmt.Errorf("wechatfake: save state: %w", err)
	}
	return nil
}
