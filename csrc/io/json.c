#include "io/json.h"

#include <stdio.h>
#include <string.h>

int lt_json_fail(const lt_json *j, const char *expected)
{
    return lt_fail("header: expected %s at byte %zu", expected, (size_t)(j->next - j->start));
}

static void skip_space(lt_json *j)
{
    while (j->next < j->end && (*j->next == ' ' || *j->next == '\t' || *j->next == '\n' || *j->next == '\r'))
        j->next++;
}

bool lt_json_accept(lt_json *j, char c)
{
    skip_space(j);
    if (j->next == j->end || *j->next != c)
        return false;
    j->next++;
    return true;
}

int lt_json_expect(lt_json *j, char c)
{
    return lt_json_accept(j, c) ? LT_OK : lt_json_fail(j, (char[]){'\'', c, '\'', 0});
}

bool lt_json_at_end(lt_json *j)
{
    skip_space(j);
    return j->next == j->end;
}

int lt_json_u64(lt_json *j, uint64_t *out)
{
    uint64_t v = 0;
    skip_space(j);
    if (j->next == j->end || *j->next < '0' || *j->next > '9')
        return lt_json_fail(j, "a whole number");
    if (*j->next == '0' && j->end - j->next > 1 && j->next[1] >= '0' && j->next[1] <= '9')
        return lt_json_fail(j, "a number without leading zeros");
    for (; j->next < j->end && *j->next >= '0' && *j->next <= '9'; j->next++) {
        unsigned digit = (unsigned)(*j->next - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return lt_json_fail(j, "a number below 2^64");
        v = v * 10 + digit;
    }
    if (j->next < j->end && (*j->next == '.' || *j->next == 'e' || *j->next == 'E'))
        return lt_json_fail(j, "a number without fraction or exponent");
    *out = v;
    return LT_OK;
}

// ---- UTF-8 (RFC 3629: shortest form only, no surrogates, up to U+10FFFF) ------------------------------------------

int lt_utf8_length(const char *text, const char *end)
{
    const unsigned char *p = (const unsigned char *)text;
    const ptrdiff_t left = end - text;
    if (left < 1 || p[0] < 0x80)
        return left >= 1;
    const int n = p[0] >= 0xC2 && p[0] <= 0xDF ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4 : 0;
    if (n == 0 || left < n)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

bool lt_utf8_valid(lt_text s)
{
    const char *end = s.text + s.length;
    for (const char *p = s.text; p < end;) {
        int n = lt_utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t c)
{
    const int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | c);
    return out + n;
}

int lt_text_compare(lt_text a, lt_text b)
{
    const size_t n = a.length < b.length ? a.length : b.length;
    int order = n ? memcmp(a.text, b.text, n) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

// ---- strings -------------------------------------------------------------------------------------------------

static int hex4(lt_json *j, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, j->next++) {
        const char c = j->next < j->end ? *j->next : 0;
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return lt_json_fail(j, "four hexadecimal digits");
        *out = *out << 4 | (uint32_t)digit;
    }
    return LT_OK;
}

// What follows a backslash, as UTF-8 at *out. Never longer than the escape itself, so decoding in place is safe.
static int escape(lt_json *j, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char c = j->next < j->end ? *j->next : 0;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        j->next++;
        *(*out)++ = to[simple - from];
        return LT_OK;
    }
    if (c != 'u')
        return lt_json_fail(j, "an escape");
    j->next++;
    uint32_t code, low;
    if (hex4(j, &code) != LT_OK)
        return LT_FAIL;
    if (code >= 0xD800 && code <= 0xDFFF) {
        if (code > 0xDBFF || j->end - j->next < 2 || j->next[0] != '\\' || j->next[1] != 'u')
            return lt_json_fail(j, "a pair of surrogates");
        j->next += 2;
        if (hex4(j, &low) != LT_OK)
            return LT_FAIL;
        if (low < 0xDC00 || low > 0xDFFF)
            return lt_json_fail(j, "a pair of surrogates");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *out = put_utf8(*out, code);
    return LT_OK;
}

int lt_json_string(lt_json *j, lt_text *text)
{
    if (!lt_json_accept(j, '"'))
        return lt_json_fail(j, "a string");
    char *out = j->next;
    text->text = out;
    for (;;) {
        if (j->next == j->end || (unsigned char)*j->next < 0x20)
            return lt_json_fail(j, "the end of a string");
        if (*j->next == '"')
            break;
        if (*j->next == '\\') {
            j->next++;
            if (escape(j, &out) != LT_OK)
                return LT_FAIL;
            continue;
        }
        const int n = lt_utf8_length(j->next, j->end);
        if (n == 0)
            return lt_json_fail(j, "UTF-8");
        memmove(out, j->next, (size_t)n);
        out += n;
        j->next += n;
    }
    j->next++;
    text->length = (size_t)(out - text->text);
    return LT_OK;
}

int lt_json_write_string(lt_bytes *out, lt_text s)
{
    int status = lt_bytes_append(out, "\"", 1);
    for (size_t i = 0; status == LT_OK && i < s.length; i++) {
        const unsigned char c = (unsigned char)s.text[i];
        char escaped[8];
        if (c == '"' || c == '\\')
            status = lt_bytes_append(out, (char[]){'\\', (char)c}, 2);
        else if (c < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            status = lt_bytes_append(out, escaped, 6);
        } else
            status = lt_bytes_append(out, s.text + i, 1);
    }
    return status == LT_OK ? lt_bytes_append(out, "\"", 1) : status;
}
