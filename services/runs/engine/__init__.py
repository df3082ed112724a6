"""The browser engine: a suite in plain English goes in, events and a report come out.

It knows no database and no HTTP server. Its rooms stand on each other in one order: grammar,
language, resolver, evidence, spec, model, browser, actions, checks, healing, running, host.
"""
