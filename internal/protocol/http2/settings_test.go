package http2

import "testing"

// settingsOf returns the payload of a SETTINGS.
func settingsOf(settings ...setting) []byte { return appendSettings(nil, settings...)[headerLen:] }

func TestSettingsAreRead(t *testing.T) {
	s := newPeerSettings(firstLimit)
	v := s.read(settingsOf(
		setting{settingMaxStreams, 1}, setting{settingMaxStreams, 0}, setting{settingInitialWindow, 7}, setting{settingMaxFrame, 1<<24 - 1},
		setting{settingMaxHeaderBytes, 1<<32 - 1}, setting{settingPush, 0}, setting{0x9999, 1},
		setting{settingTableSize, 100}, setting{settingTableSize, 1 << 20},
	))
	want := peerSettings{maxStreams: 0, initialWindow: 7, maxHeaderBytes: maxWindow, tableSize: tableSize, lowestTable: 100, received: true}
	if v != nil || s != want {
		t.Errorf("got %+v, %v, want %+v", s, v, want)
	}
	if v := s.read(nil); v != nil || s.lowestTable != tableSize || s.initialWindow != 7 {
		t.Errorf("SETTINGS without settings made %+v of it, %v", s, v)
	}
}

func TestSettingsOutOfRangeAreRefused(t *testing.T) {
	for _, test := range []struct {
		setting setting
		want    code
	}{
		{setting{settingPush, 1}, codeProtocol},
		{setting{settingInitialWindow, 1 << 31}, codeFlowControl},
		{setting{settingMaxFrame, maxFrame - 1}, codeProtocol},
		{setting{settingMaxFrame, 1 << 24}, codeProtocol},
	} {
		s := newPeerSettings(firstLimit)
		if v := s.read(settingsOf(test.setting)); v == nil || v.code != test.want {
			t.Errorf("%+v: got %v, want %s", test.setting, v, test.want)
		}
	}
}
