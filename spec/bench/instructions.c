// A plugin for qemu's user mode that counts the instructions of a program: the last line that it writes is their
// number. What it uses of qemu's interface is declared here, so that it needs no header.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t plugin_id;
typedef struct qemu_plugin_tb block;

enum { ADD = 0 }; // QEMU_PLUGIN_INLINE_ADD_U64

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, block *));
void qemu_plugin_register_vcpu_tb_exec_inline(block *b, int operation, void *counter, uint64_t amount);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*finished)(plugin_id, void *), void *data);
size_t qemu_plugin_tb_n_insns(const block *b);

#define PUBLIC __attribute__((visibility("default")))
extern PUBLIC int qemu_plugin_version;
PUBLIC int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv);

PUBLIC int qemu_plugin_version = 1;
static uint64_t count; // of one thread: additions are not atomic

static void translated(plugin_id id, block *b)
{
    qemu_plugin_register_vcpu_tb_exec_inline(b, ADD, &count, qemu_plugin_tb_n_insns(b));
}

static void finished(plugin_id id, void *data)
{
    fprintf(stderr, "%" PRIu64 "\n", count);
}

PUBLIC int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
