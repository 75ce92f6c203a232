
require github.com/coder/websocket v1.8.15

require (
	github.com/golang-jwt/jwt/v5 v5.3.0
	github.com/gorilla/sessions v1.4.0
)
