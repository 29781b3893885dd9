package jwt

// MaxKept is described at maxKept.
const MaxKept = maxKept

// SignText returns the signature of a string.
func SignText(k *Key, text string) ([]byte, error) { return k.sign(text) }

// Kept returns how many tokens are kept.
func (s *Signer) Kept() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.now) + len(s.before)
}
