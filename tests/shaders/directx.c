/*
 * DX12's compilers as a program: directx.exe LIST, whose lines ask for a shader each, `dxc|fxc FILE ENTRY PROFILE`. Says a line of each
 * that is taken, `taken FILE MILLISECONDS` of processor time, else what the compiler says. dxcompiler.dll and d3dcompiler_47.dll lie
 * beside the program. Options are those that wgpu gives them.
 */
#define COBJMACROS
#include <windows.h>
#include <d3dcompiler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of DXC's interfaces, which mingw has no header of, the methods that are called, by their place. */
typedef struct Object { void **methods; } Object;
typedef struct { const void *start; SIZE_T length; UINT code_page; } Source;
typedef HRESULT(WINAPI *CreateInstance)(const GUID *class_id, const GUID *interface_id, Object **made);
typedef HRESULT(WINAPI *Compile)(Object *, const Source *, const wchar_t **options, UINT32 count, void *includes, const GUID *, Object **);
typedef HRESULT(WINAPI *GetStatus)(Object *, HRESULT *);
typedef HRESULT(WINAPI *GetErrorBuffer)(Object *, ID3DBlob **);
enum { COMPILE = 3, STATUS = 3, ERRORS = 5 };
static const GUID COMPILER_CLASS = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER_3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};
static const UINT UTF8 = 65001;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(2);
}

/* A function of a library beside the program: by its whole path, or Wine's own would be taken. */
static FARPROC function(const char *library, const char *name) {
    char path[MAX_PATH + 64];
    DWORD length = GetModuleFileNameA(NULL, path, MAX_PATH);
    while (length > 0 && path[length - 1] != '\\') length--;
    strcpy(path + length, library);
    HMODULE module = LoadLibraryA(path);
    FARPROC found = module ? GetProcAddress(module, name) : NULL;
    if (!found) fail(library);
    return found;
}

/* Whether DXC takes a shader; else what it says. */
static BOOL dxc(Source source, const char *entry, const char *profile, ID3DBlob **said) {
    static Object *compiler;
    if (!compiler) {
        CreateInstance create = (CreateInstance)(void *)function("dxcompiler.dll", "DxcCreateInstance");
        if (FAILED(create(&COMPILER_CLASS, &COMPILER_3, &compiler))) fail("no IDxcCompiler3");
    }
    wchar_t wide_entry[256], wide_profile[32];
    mbstowcs(wide_entry, entry, 256);
    mbstowcs(wide_profile, profile, 32);
    const wchar_t *options[] = {L"-E", wide_entry, L"-T", wide_profile, L"-HV", L"2018", L"-no-warnings", L"-Ges", L"-enable-16bit-types"};
    /* Devices with f16 have shader model 6.2 at least. */
    UINT32 count = strcmp(profile, "cs_6_2") < 0 ? 8 : 9;
    Object *result = NULL;
    HRESULT status = ((Compile)compiler->methods[COMPILE])(compiler, &source, options, count, NULL, &RESULT, &result);
    if (FAILED(status) || FAILED(((GetStatus)result->methods[STATUS])(result, &status))) fail("IDxcCompiler3 does not answer");
    if (FAILED(status)) ((GetErrorBuffer)result->methods[ERRORS])(result, said);
    IUnknown_Release((IUnknown *)result);
    return SUCCEEDED(status);
}

/* The same of FXC. */
static BOOL fxc(Source source, const char *entry, const char *profile, ID3DBlob **said) {
    static pD3DCompile compile;
    if (!compile) compile = (pD3DCompile)(void *)function("d3dcompiler_47.dll", "D3DCompile");
    ID3DBlob *code = NULL;
    HRESULT status = compile(source.start, source.length, NULL, NULL, NULL, entry, profile, D3DCOMPILE_ENABLE_STRICTNESS, 0, &code, said);
    if (code) ID3D10Blob_Release(code);
    return SUCCEEDED(status);
}

/* Milliseconds of processor time that the program took so far. */
static unsigned long long spent(void) {
    FILETIME created, ended, kernel, user;
    GetProcessTimes(GetCurrentProcess(), &created, &ended, &kernel, &user);
    unsigned long long ticks = ((unsigned long long)user.dwHighDateTime << 32 | user.dwLowDateTime) +
                               ((unsigned long long)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime);
    return ticks / 10000;
}

int main(int count, char **arguments) {
    FILE *list = count == 2 ? fopen(arguments[1], "r") : NULL;
    if (!list) fail("directx.exe LIST");
    char compiler[8], file[512], entry[256], profile[32];
    while (fscanf(list, "%7s %511s %255s %31s", compiler, file, entry, profile) == 4) {
        FILE *opened = fopen(file, "rb");
        if (!opened) fail(file);
        fseek(opened, 0, SEEK_END);
        SIZE_T length = ftell(opened);
        rewind(opened);
        char *text = malloc(length);
        if (!text || fread(text, 1, length, opened) != length) fail(file);
        fclose(opened);
        unsigned long long start = spent();
        ID3DBlob *said = NULL;
        Source source = {text, length, UTF8};
        BOOL taken = strcmp(compiler, "dxc") == 0 ? dxc(source, entry, profile, &said) : fxc(source, entry, profile, &said);
        if (taken) {
            printf("taken %s %llu\n", file, spent() - start);
        } else {
            printf("refused %s: %s\n", file, said ? (const char *)ID3D10Blob_GetBufferPointer(said) : "says nothing");
        }
        fflush(stdout);
        if (said) ID3D10Blob_Release(said);
        free(text);
    }
    return 0;
}
