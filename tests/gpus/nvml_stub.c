/* A stand-in for libnvidia-ml.so.1: as many GPUs as FAKE_NVML_GPUS says, with settable gaps.
 *
 *   FAKE_NVML_GPUS=N           number of devices (default 1)
 *   FAKE_NVML_INIT=CODE        what nvmlInit answers (default 0)
 *   FAKE_NVML_REFUSE=a,b       calls that answer NOT_SUPPORTED: memory, memory2, utilization, temperature, power, limit,
 *                              processes, capability, uuid, name
 *   FAKE_NVML_LOST=I           device I answers GPU_IS_LOST while the file FAKE_NVML_LOST_WHILE exists
 *   FAKE_NVML_CALLS=PATH       every call's name is appended to this file, one a line
 *   FAKE_NVML_PROCESSES=p:b,.. pid:bytes of the processes on device 0; bytes -1 is "not available"
 *   FAKE_NVML_HANG=PATH        calls on devices block while this file exists
 *
 * Built with -DOLD_DRIVER it has no memory v2 and no process list v3, as drivers before 510.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, TOO_SMALL = 7, LOST = 15, VERSION_MISMATCH = 25 };

struct memory { unsigned long long total, free, used; };
struct memory2 { unsigned version; unsigned long long total, reserved, free, used; };
struct rates { unsigned gpu, memory; };
struct process { unsigned pid; unsigned long long used; unsigned gi, ci; };

static const char *setting(const char *name) { const char *v = getenv(name); return v ? v : ""; }
static long count(void) { const char *v = setting("FAKE_NVML_GPUS"); return *v ? atol(v) : 1; }
static long index_of(void *device) { return (long)device - 1; }

static int named_in(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return 1;
    return 0;
}

static int answer(void *device, const char *name)
{
    const char *calls = setting("FAKE_NVML_CALLS"), *hang = setting("FAKE_NVML_HANG");
    if (*calls) {
        FILE *file = fopen(calls, "a");
        fprintf(file, "%s %ld\n", name, device ? index_of(device) : -1);
        fclose(file);
    }
    while (*hang && access(hang, F_OK) == 0) usleep(10000);
    const char *lost = setting("FAKE_NVML_LOST");
    if (device && *lost && atol(lost) == index_of(device) && access(setting("FAKE_NVML_LOST_WHILE"), F_OK) == 0)
        return LOST;
    return named_in(setting("FAKE_NVML_REFUSE"), name) ? NOT_SUPPORTED : OK;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return atoi(setting("FAKE_NVML_INIT")); }
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = count(); return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    if (index >= count()) return INVALID;
    *device = (void *)(long)(index + 1);
    return answer(*device, "handle");
}

int nvmlDeviceGetName(void *device, char *text, unsigned length)
{
    snprintf(text, length, "Fake H100 %ld", index_of(device));
    return answer(device, "name");
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned length)
{
    snprintf(text, length, "GPU-%08ld", index_of(device));
    return answer(device, "uuid");
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor)
{
    *major = 9, *minor = 0;
    return answer(device, "capability");
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *m)
{
    *m = (struct memory){.total = 80ull << 30, .used = 11ull << 30, .free = 69ull << 30};
    return answer(device, "memory");
}

#ifndef OLD_DRIVER
int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory2 *m)
{
    if (m->version != 0x02000028) return VERSION_MISMATCH;
    m->total = 80ull << 30, m->reserved = 1ull << 30, m->used = 10ull << 30, m->free = 69ull << 30;
    return answer(device, "memory2");
}
#endif

int nvmlDeviceGetUtilizationRates(void *device, struct rates *r)
{
    *r = (struct rates){.gpu = 90 + index_of(device), .memory = 40};
    return answer(device, "utilization");
}

int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *value)
{
    (void)sensor;
    *value = 61;
    return answer(device, "temperature");
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
    *milliwatts = 512500;
    return answer(device, "power");
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts)
{
    *milliwatts = 700000;
    return answer(device, "limit");
}

#ifdef OLD_DRIVER
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *length, struct process *list)
#else
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *length, struct process *list)
#endif
{
    int code = answer(device, "processes");
    if (code != OK) return code;
    unsigned n = 0;
    const char *at = index_of(device) == 0 ? setting("FAKE_NVML_PROCESSES") : "";
    while (*at) {
        char *end;
        unsigned pid = strtoul(at, &end, 10);
        unsigned long long used = strtoll(end + 1, &end, 10);
        if (list && n < *length) list[n] = (struct process){.pid = pid, .used = used};
        n++;
        at = *end == ',' ? end + 1 : end;
    }
    int fits = list && n <= *length;
    *length = n;
    return n == 0 || fits ? OK : TOO_SMALL;
}
