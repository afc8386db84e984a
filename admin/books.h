/*
 * books.h - reports on the whole ledger: sums of a span, the proof that all adds up, every record.
 *
 *   GET /v1/usage/report?by=user|key|group|account|model|day|hour&since=24h&until=never&format=json
 *   GET /v1/ledger/verify
 *   GET /v1/ledger/export?since=...&until=...&format=csv|jsonl
 *
 * Spans: dates, RFC 3339 times, or spans counted back from now; whole hours for sums. Made in a
 * child (reporter.h), from one snapshot of the store.
 *
 * Runs in: recorder.
 */
#ifndef ADMIN_BOOKS_H
#define ADMIN_BOOKS_H

struct server_request;

void books_report(struct server_request *request);
void books_verify(struct server_request *request);
void books_export(struct server_request *request);

#endif
