"""The languages clients speak on the one port; each turns bytes into messages and messages into bytes."""
