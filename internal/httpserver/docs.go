package httpserver

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

// docsPolicy lets the page have its one style element, known by its hash, and nothing else.
func docsPolicy() string {
	_, rest, _ := strings.Cut(docsHTML, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	hash := sha256.Sum256([]byte(style))
	return contentPolicy + "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
}

type docsOperation struct {
	Method, Path, ID, Summary, Description, Role string
	Parameters                                   []*huma.Param
	Body                                         string
	Answers                                      []docsAnswer
}

type docsAnswer struct{ Status, Description, Body string }

type docsGroup struct {
	Tag        string
	Operations []docsOperation
}

// renderDocs writes the API's description as one page that needs nothing from elsewhere, script included.
func renderDocs(spec *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("parse the page of the API: %w", err)
	}
	schemas := map[string]string{}
	for name, schema := range spec.Components.Schemas.Map() {
		schemas[name] = indented(schema)
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Info    *huma.Info
		Prefix  string
		Groups  []docsGroup
		Schemas map[string]string
	}{spec.Info, apiPrefix, docsGroups(spec), schemas})
	if err != nil {
		return nil, fmt.Errorf("render the page of the API: %w", err)
	}
	return out.Bytes(), nil
}

func docsGroups(spec *huma.OpenAPI) []docsGroup {
	byTag := map[string][]docsOperation{}
	for path, item := range spec.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			tag := "other"
			if len(op.Tags) > 0 {
				tag = op.Tags[0]
			}
			byTag[tag] = append(byTag[tag], describeOperation(path, op))
		}
	}
	groups := make([]docsGroup, 0, len(byTag))
	for tag, ops := range byTag {
		slices.SortFunc(ops, func(a, b docsOperation) int {
			return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
		})
		groups = append(groups, docsGroup{tag, ops})
	}
	slices.SortFunc(groups, func(a, b docsGroup) int { return strings.Compare(a.Tag, b.Tag) })
	return groups
}

func describeOperation(path string, op *huma.Operation) docsOperation {
	d := docsOperation{
		Method: op.Method, Path: path, ID: op.OperationID, Summary: op.Summary, Description: op.Description,
		Parameters: op.Parameters,
	}
	if role, ok := op.Extensions["x-role"].(string); ok {
		d.Role = role
	}
	if op.RequestBody != nil {
		d.Body = firstSchema(op.RequestBody.Content)
	}
	for status, response := range op.Responses {
		d.Answers = append(d.Answers, docsAnswer{status, response.Description, firstSchema(response.Content)})
	}
	slices.SortFunc(d.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	return d
}

func firstSchema(content map[string]*huma.MediaType) string {
	for _, media := range content {
		if media.Schema == nil {
			continue
		}
		if media.Schema.Ref != "" {
			return media.Schema.Ref[strings.LastIndex(media.Schema.Ref, "/")+1:]
		}
		return indented(media.Schema)
	}
	return ""
}

func indented(schema *huma.Schema) string {
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
