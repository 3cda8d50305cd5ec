"""Dashboards that explain the figures, and how a Grafana comes to have them.

`panels` turns a description of a panel into Grafana's JSON, `dashboards` describes them all, `server` speaks to a
Grafana, `applying` makes what is there equal to what is wanted. Only `occ grafana` imports this.
"""
