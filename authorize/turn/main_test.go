package turn

import (
	"testing"

	"github.com/wxsteward/wxsteward/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }
