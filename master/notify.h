/*
 * notify.h - tells a service manager how we are, over the socket that $NOTIFY_SOCKET names.
 *
 * Runs in: master. Without the variable nothing happens; a message that cannot be delivered is
 * dropped, since no traffic depends on it.
 */
#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

/* One sentence that `systemctl status` shows. */
void notify_status(const char *text);

#endif
