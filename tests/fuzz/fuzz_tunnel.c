/*
 * Any bytes as a proxy's answers, byte by byte and at once: the same verdict. The first byte
 * chooses the kind of proxy and whether there is a password.
 */
#include "base/check.h"
#include "base/limits.h"
#include "http/client.h"
#include "http/tunnel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err
run(const struct client_proxy *proxy, struct str bytes, size_t step)
{
    struct tunnel tunnel;
    struct buf in;
    struct buf out;
    char why[CLIENT_WHY_BYTES] = "";
    buf_init(&in, HEAD_BYTES_MAX);
    buf_init(&out, 1u << 20);
    CHECK(tunnel_begin(&tunnel, proxy, &out) == ERR_OK);
    enum err err = ERR_AGAIN;
    while (bytes.len > 0 && err == ERR_AGAIN) {
        size_t len = bytes.len < step ? bytes.len : step;
        if (buf_append(&in, str_make(bytes.data, len)) != ERR_OK) {
            err = ERR_FULL;
            break;
        }
        bytes = str_skip(bytes, len);
        err = tunnel_feed(&tunnel, &in, &out, why, sizeof(why));
    }
    CHECK(err == ERR_OK || err == ERR_AGAIN || err == ERR_FULL || why[0] != '\0');
    CHECK(err != ERR_OK || buf_len(&in) == 0);
    buf_fini(&in);
    buf_fini(&out);
    return err;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct client_proxy proxy = { .kind =
                                      (data[0] & 1) != 0 ? CLIENT_HTTP_PROXY : CLIENT_SOCKS5_PROXY,
                                  .host = STR("api.test"),
                                  .port = 443 };
    if ((data[0] & 2) != 0) {
        proxy.user = STR("user");
        proxy.password = STR("password");
    }
    struct str bytes = { (const char *)data + 1, size - 1 };
    enum err whole = run(&proxy, bytes, bytes.len);
    enum err cut = run(&proxy, bytes, 1);
    /* An opened tunnel with bytes behind it is refused only when they come together. */
    CHECK(whole == cut || (whole == ERR_BAD && cut == ERR_OK));
    return 0;
}
