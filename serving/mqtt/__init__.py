"""The MQTT bridge: subscribes at a broker, decodes what factories publish, posts it to a server, and only then acknowledges."""
