package codesubmit

import "github.com/robfig/cron/v3"

func parseWindow(expr string) (cron.Schedule, error) { return cron.ParseStandard(expr) }
