package wechatfake

import (
	"errors"
	"fmt"
)

// ConsoleCommit plays the merchant's own developer uploading code over ours: the trial version is no longer ours.
func (s *Server) ConsoleCommit(appid, userVersion, userDesc string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	now := s.now()
	a.Trial = &trial{code: code{UserVersion: userVersion, UserDesc: userDesc, At: now.Unix(), Pages: []string{"pages/index/index"}}, DetectedAt: now}
	s.changed()
	return nil
}

// ConsoleRelease plays the merchant releasing the approved version in its own console.
func (s *Server) ConsoleRelease(appid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	if rep := s.releasable(a); rep.code != 0 {
		return fmt.Errorf("wechatfake: release refused with %d", rep.code)
	}
	s.goLive(a, s.latest(a))
	s.changed()
	return nil
}

// ConsoleGray plays the merchant widening, pausing (status 2), going on with (1) or canceling (4) the gray release in
// its own console; percentage 0 stays as it is.
func (s *Server) ConsoleGray(appid string, status, percentage int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.merchant(appid)
	if err != nil {
		return err
	}
	if !a.Gray.open() {
		return errors.New("wechatfake: no gray release is under way")
	}
	if status != grayRunning && status != grayPaused && status != grayDeleted {
		return fmt.Errorf("wechatfake: no gray status %d", status)
	}
	a.Gray.Status = status
	if percentage > 0 {
		a.Gray.Percentage = percentage
	}
	s.changed()
	return nil
}
