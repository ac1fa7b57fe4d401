.PHONY: help setup run test check bench lock web

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

setup:  ## build both Python environments, unless they are current
	@python3 environments/build.py

run: setup  ## set up whatever is missing, start everything, print the addresses
	@exec .venv/bin/usher up
