/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The control socket: RUN_DIR/control.sock, SOCK_STREAM, mode 0600 and owned by the account the roles run as; with `control-group` mode 0660 and
 * that group's. Whoever is neither root nor of that account or group is refused, whatever the mode (control_peer.h). One request a connection:
 * one JSON object on one line, answered by one JSON object on one line, then closed by the server. Requests are at most
 * CONTROL_REQUEST_MAX octets; what follows the line is not read. Every refusal is {"ok": false, "error": "..."}; with
 * "again": true because a process is just being restarted, and the request may be made again.
 *
 *   {"command": "status"}                                  -> {"ok": true, "status": {...}}
 *   {"command": "reload"}                                  ("withdraw": ["global"]: networks that it may take away everywhere; "accept-older": true)
 *                                                          -> {"ok": true, "problems": [...]} or
 *                                                             {"ok": false, "error": "...", "problems": ["FILE:LINE:COL: error: ...", ...]}
 *   {"command": "drain", "network": "global"}              (network may be absent: all)   likewise "resume", "freeze",
 *                                                         "force" (of one network, which must be named); "drain" with "backstop": true:
 *                                                         its backstop too; "drain" and "resume" with "neighbor": "192.0.2.1" (in place of a
 *                                                         network): of that BGP neighbor
 *   {"command": "zone-list"}                               -> {"ok": true, "zones": [...]}
 *   {"command": "zone-show", "zone": "example.com"}        -> {"ok": true, "stream": true}, and after that line the zone in zone file form;
 *                                                             whole only if the last line is "; end"; with "digest": true lines
 *                                                             "; more", then one JSON object with the digest of the version
 *   {"command": "zone-reload", "zone": "example.com"}      (zone may be absent: all); "force": true, of one zone: whatever guards say
 *   {"command": "zone-history", "zone": "example.com"}     -> {"ok": true, "stream": true, "serial": n, ...}, then one JSON object a line for each version
 *                                                             that is kept, oldest first; whole only if the last line is "; end"
 *   {"command": "zone-diff", "zone": .., "serials": [a, b]} (b may be absent: the newest) -> {"ok": true, "stream": true, "from": a, "to": b}, then
 *                                                             records as "-" or "+" and a zone file line; "; end"
 *   {"command": "zone-export", "zone": .., "serials": [a]} (may be absent: the one served) -> {"ok": true, "stream": true, "serial": n}, then the
 *                                                             zone in zone file form; "; end"
 *   {"command": "zone-rollback", "zone": .., "serials": [a]} -> {"ok": true, "zone": .., "serial": n, "from": .., "to": a, "file": path}
 *   {"command": "zone-publish", "zone": .., "force": false} -> {"ok": true, "zone": .., "serial": n, "before": .., "zonemd": [...], "problems": [...]}
 *   {"command": "queries", "follow": true}                 -> {"ok": true, "stream": true, "sample": n}, and after that line one JSON object a
 *                                                             line for each sampled query that is there, oldest first; with "follow"
 *                                                             for each that comes, until the client closes
 *   {"command": "events", "follow": true}                  -> {"ok": true, "stream": true, "now": "2026-11-21T18:00:00Z"}, and after that line one JSON object a line for
 *                                                             each event that is still there, oldest first; with "follow" then each that comes,
 *                                                             until the client closes
 *   {"command": "cache-status"}                            -> {"ok": true, "cache": {...}}: of answers of backends; "size": 0 where there is none
 *   {"command": "cache-show", "name": "www.example.com", "subtree": false} -> {"ok": true, "entries": [...], "more": false}
 *   {"command": "cache-purge", "name": .., "subtree": ..}  -> {"ok": true, "purged": n}
 *   {"command": "fault", "kind": "servfail" | "wrong" | "none", "worker": 2}   "wrong": content of answers; without "worker" all have it; only
 *                                                             where the node was started with --allow-faults */
enum { CONTROL_REQUEST_MAX = 65536, CONTROL_CLIENTS_MAX = 32, CONTROL_IDLE_MS = 10000, CONTROL_WAIT_MS = 60000,
       CONTROL_FOLLOWERS_MAX = 8 };
#define CONTROL_SOCKET_NAME "control.sock"
