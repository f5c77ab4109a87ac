// Orders, for whoever has a good access token. Run: go run .
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/coreos/go-oidc" // version 3 is github.com/coreos/go-oidc/v3/oidc, with the same calls
)

// Claims are what a service wants to know of its caller.
type Claims struct {
	Subject string   `json:"sub"`
	Roles   []string `json:"roles"`
}

type callerKey struct{}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// isAccessToken looks at the kind, which the library does not.
func isAccessToken(token string) bool {
	head, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	var header struct {
		Type string `json:"typ"`
	}
	return err == nil && json.Unmarshal(head, &header) == nil && header.Type == "at+jwt"
}

// signedIn lets a request through when its token is good, with the claims in its context.
func signedIn(verifier *oidc.IDTokenVerifier, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "an access token is needed", http.StatusUnauthorized)
			return
		}
		var claims Claims
		verified, err := verifier.Verify(r.Context(), token)
		if err == nil {
			err = verified.Claims(&claims)
		}
		if err == nil && !isAccessToken(token) {
			err = errors.New("not an access token")
		}
		if err != nil {
			log.Print("token refused: ", err)
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			http.Error(w, "the access token is not valid", http.StatusUnauthorized)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, claims)))
	}
}

func orders(w http.ResponseWriter, r *http.Request) {
	caller := r.Context().Value(callerKey{}).(Claims)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"items": []map[string]any{{"id": 1, "customer": caller.Subject, "what": "a teapot"}},
	})
}

func main() {
	// `public_url` of AuthShield, and its `token.audience`: the same, unless that was set.
	issuer := setting("ISSUER", "http://127.0.0.1:8080")
	keys := oidc.NewRemoteKeySet(context.Background(), issuer+"/.well-known/jwks.json")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             setting("AUDIENCE", issuer), // compared with `aud`
		SupportedSigningAlgs: []string{"ES256"},
	})
	http.HandleFunc("/orders", signedIn(verifier, orders))
	log.Fatal(http.ListenAndServe(setting("LISTEN", "127.0.0.1:3000"), nil))
}
