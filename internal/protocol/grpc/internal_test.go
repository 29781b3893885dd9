package grpc

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/traffic-exporter/traffic_exporter/internal/protocol/inflate"
)

func TestTimeoutsHaveEightDigitsAndAUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Nanosecond: "1n", 99_999_999: "99999999n", 100 * time.Millisecond: "100000u", 1500 * time.Millisecond: "1500000u",
		10 * time.Second: "10000000u", 99_999_999 * time.Microsecond: "99999999u", 100 * time.Second: "100000m", 100*time.Second + 1: "100001m",
		10 * time.Minute: "600000m",
	} {
		if got := Timeout(d); got != want {
			t.Errorf("%s is %s, want %s", d, got, want)
		}
	}
}

func TestMessagesArePercentDecoded(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "a%20b": "a b", "%E2%98%BA": "☺", "50%": "50%", "%zz%4": "%zz%4", "%25": "%",
	} {
		if got := decodeMessage([]byte(in)); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// FuzzFrames holds that messages are checked the same in pieces and as a whole.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"", "\x00\x00\x00\x00\x02hi", "\x00\x00\x00\x00\x02hi\x00\x00\x00\x00\x00", "\x01\x00\x00\x00\x01a", "\x07", "\x00\xff\xff\xff\xff"} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, body []byte, piece int) {
		if piece < 1 {
			t.Skip()
		}
		const most = 1 << 10
		var got frames
		for rest := body; len(rest) > 0; {
			n := min(piece, len(rest))
			got.read(rest[:n], most, false)
			rest = rest[n:]
		}
		messages, err := split(body, gzipName, most, inflate.NewBudget(len(body), most))
		if got.end() == nil && (err != nil || len(messages) != got.messages) {
			t.Errorf("%q: %d messages and no error, but %d messages and %v as a whole", body, got.messages, len(messages), err)
		}
	})
}

func TestMessagesTogetherMakeNotMuchOfLittle(t *testing.T) {
	const most, whole = 2 << 20, 20 << 20
	one, err := appendMessage(nil, make([]byte, most), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 100} {
		body := bytes.Repeat(one, n)
		if messages, failed := split(body, gzipName, most, inflate.NewBudget(len(body), whole)); !errors.Is(failed, inflate.ErrBound) {
			t.Errorf("%d messages of %d, %v", len(messages), n, failed)
		}
	}
	small, err := appendMessage(nil, make([]byte, 1000), true)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat(small, 100)
	if messages, err := split(body, gzipName, most, inflate.NewBudget(len(body), whole)); err != nil || len(messages) != 100 {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

// FuzzReflection holds that whatever a server responds is read or refused.
func FuzzReflection(f *testing.F) {
	f.Add([]byte("\x22\x02\x0a\x00"))
	f.Add([]byte("\x3a\x04\x08\x05\x12\x00"))
	f.Fuzz(func(_ *testing.T, message []byte) {
		files := map[string]*descriptorpb.FileDescriptorProto{}
		if readReflection(message, files) == nil {
			_ = missing(files)
			_, _ = newSchema(files)
		}
		_, _ = details(string(message), nil)
	})
}
