
require github.com/coder/websocket v1.8.15
