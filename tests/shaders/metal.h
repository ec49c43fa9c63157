// Metal's standard library as far as shaders ask for it, after Apple's "Metal Shading Language Specification", for a C++ compiler that
// looks at types and names alone: nothing is computed. Of vectors and matrices it allows what Metal does: a scalar stands for a vector
// of itself, a vector is never taken for one of another type without being told. Address spaces are not told apart.
#pragma once

#define kernel
#define device
#define threadgroup
#define thread
#define constant const

// naga names it without its namespace.
typedef unsigned long ulong;

namespace metal {

typedef unsigned int uint;
typedef unsigned short ushort;
using ::ulong;

struct half {
    half() = default;
    half(float);
    operator float() const;
    unsigned short bits;
};

template <class T, int N> struct vector;

// Components of a vector under another name.
template <class T, int N, int M> struct part {
    operator vector<T, M>() const;
    T all[N];
};

template <class T> struct vector<T, 2> {
    vector() = default;
    vector(T);
    vector(T, T);
    template <class U> explicit vector(vector<U, 2>);
    T &operator[](uint);
    const T &operator[](uint) const;
    union { struct { T x, y; }; part<T, 2, 2> xy, yx; };
};

template <class T> struct vector<T, 3> {
    vector() = default;
    vector(T);
    vector(T, T, T);
    vector(vector<T, 2>, T);
    vector(T, vector<T, 2>);
    template <class U> explicit vector(vector<U, 3>);
    T &operator[](uint);
    const T &operator[](uint) const;
    // As large as four.
    union { struct { T x, y, z; }; part<T, 4, 2> xy, yz, xz; };
};

template <class T> struct vector<T, 4> {
    vector() = default;
    vector(T);
    vector(T, T, T, T);
    vector(vector<T, 2>, vector<T, 2>);
    vector(vector<T, 2>, T, T);
    vector(vector<T, 3>, T);
    vector(T, vector<T, 3>);
    template <class U> explicit vector(vector<U, 4>);
    T &operator[](uint);
    const T &operator[](uint) const;
    union { struct { T x, y, z, w; }; part<T, 4, 2> xy, zw, xz, yw, yz; part<T, 4, 3> xyz, yzw; };
};

#define VECTORS(T) typedef vector<T, 2> T##2; typedef vector<T, 3> T##3; typedef vector<T, 4> T##4;
VECTORS(float) VECTORS(half) VECTORS(int) VECTORS(uint) VECTORS(ulong) VECTORS(bool)

#define BINARY(V, op) V operator op(V, V); V &operator op##=(V &, V);
#define COMPARED(V, B, op) B operator op(V, V);
#define COMPARISONS(V, B) COMPARED(V, B, <) COMPARED(V, B, <=) COMPARED(V, B, >) COMPARED(V, B, >=) COMPARED(V, B, ==) COMPARED(V, B, !=)
#define ARITHMETIC(V, B) BINARY(V, +) BINARY(V, -) BINARY(V, *) BINARY(V, /) V operator-(V); COMPARISONS(V, B)
#define INTEGERS(V, B) ARITHMETIC(V, B) BINARY(V, %) BINARY(V, &) BINARY(V, |) BINARY(V, ^) BINARY(V, <<) BINARY(V, >>) V operator~(V);
#define TRUTHS(V) V operator&(V, V); V operator|(V, V); V operator!(V); COMPARED(V, V, ==) COMPARED(V, V, !=)
#define OF_SIZE(N) ARITHMETIC(float##N, bool##N) ARITHMETIC(half##N, bool##N) INTEGERS(int##N, bool##N) INTEGERS(uint##N, bool##N) \
    INTEGERS(ulong##N, bool##N) TRUTHS(bool##N) bool all(bool##N); bool any(bool##N);
OF_SIZE(2) OF_SIZE(3) OF_SIZE(4)
// A count of bits may be of 32.
ulong2 operator<<(ulong2, uint2); ulong2 operator>>(ulong2, uint2);

// Columns, each with so many rows.
template <int C, int R> struct matrix;
#define MATRIX(C, R, ...) template <> struct matrix<C, R> { \
    typedef vector<float, R> column; \
    matrix() = default; matrix(__VA_ARGS__); column &operator[](uint); const column &operator[](uint) const; column columns[C]; }; \
    typedef matrix<C, R> float##C##x##R; \
    float##C##x##R operator+(float##C##x##R, float##C##x##R); float##C##x##R operator-(float##C##x##R, float##C##x##R); \
    float##C##x##R operator*(float##C##x##R, float); float##C##x##R operator*(float, float##C##x##R); \
    float##R operator*(float##C##x##R, float##C); float##C operator*(float##R, float##C##x##R);
#define OF_ROWS(R) MATRIX(2, R, column, column) MATRIX(3, R, column, column, column) MATRIX(4, R, column, column, column, column)
OF_ROWS(2) OF_ROWS(3) OF_ROWS(4)
template <int C, int R> matrix<R, C> transpose(matrix<C, R>);

#define FLOATS(V) V exp(V); V exp2(V); V log(V); V log2(V); V sqrt(V); V rsqrt(V); V cos(V); V sin(V); V tanh(V); V rint(V); V floor(V); \
    V ceil(V); V trunc(V); V fract(V); V fmod(V, V); V pow(V, V); V fma(V, V, V); V sign(V); V mix(V, V, V);
#define NUMBERS(V, B) V abs(V); V min(V, V); V max(V, V); V clamp(V, V, V); CHOICE(V, B)
#define CHOICE(V, B) V select(V, V, B);
#define WHOLE(V) V reverse_bits(V); V popcount(V); V clz(V); V ctz(V);
#define LANES(V) V simd_broadcast(V, ushort); V simd_shuffle(V, ushort); V simd_shuffle_xor(V, ushort); V simd_sum(V);
#define OF_EACH(F, ...) F(__VA_ARGS__)
#define SIZES(F, T) F(T) F(T##2) F(T##3) F(T##4)
#define SIZES_OF_TWO(F, T) F(T, bool) F(T##2, bool2) F(T##3, bool3) F(T##4, bool4)
SIZES(FLOATS, float) SIZES_OF_TWO(NUMBERS, float) SIZES_OF_TWO(NUMBERS, int) SIZES_OF_TWO(NUMBERS, uint) SIZES_OF_TWO(CHOICE, bool)
SIZES_OF_TWO(CHOICE, ulong) SIZES_OF_TWO(CHOICE, half) SIZES(WHOLE, uint) SIZES(WHOLE, int) SIZES(LANES, float) SIZES(LANES, uint)
float dot(float2, float2); float dot(float3, float3); float dot(float4, float4);
bool isnan(float); bool isinf(float);

enum class mem_flags { mem_none, mem_device, mem_threadgroup };
void threadgroup_barrier(mem_flags);
void simdgroup_barrier(mem_flags);

// Metal has matrices of a subgroup in this size alone, and only where the subgroup is one of Apple's.
template <class T> struct simdgroup_matrix { T all[2]; };
typedef simdgroup_matrix<half> simdgroup_half8x8;
typedef simdgroup_matrix<float> simdgroup_float8x8;
template <class T> void simdgroup_load(simdgroup_matrix<T> &, const T *, ulong = 8, ulong2 = 0, bool = false);
template <class T> void simdgroup_store(simdgroup_matrix<T>, T *, ulong = 8, ulong2 = 0, bool = false);
template <class T, class U, class V>
void simdgroup_multiply_accumulate(simdgroup_matrix<T> &, simdgroup_matrix<U>, simdgroup_matrix<U>, simdgroup_matrix<V>);

}  // namespace metal

// All of these are there without their namespace too; naga asks so for those of its own code.
using metal::half;
using metal::uint2;

metal::half operator""h(long double);

template <class T, class U> T as_type(U) {
    static_assert(sizeof(T) == sizeof(U), "bits are kept");
    return T();
}
template <class T, class U, int N, int M> T as_type(metal::part<U, N, M> some) {
    return as_type<T>(metal::vector<U, M>(some));
}
