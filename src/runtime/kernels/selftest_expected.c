/* What the plain C kernels gave for the built-in networks: `qmtcnn selftest --kernels c --format json` prints it.
 * tests/runtime/test_selftest.c computes the same in another way. */
#include "runtime/kernels/selftest.h"

const uint64_t qmt_selftest_expected[qmt_selftest_networks][qmt_selftest_rows] = {
    {0x4bf4dc73cdec89c5u, 0xf54d81bbd93bf040u, 0x12657fa7cf3a7aa1u, 0x58c4295d79c0b92bu, 0xb68438596183b84au,
     0x28c70efb98413cf1u, 0x59d22c800f32a545u},
    {0x69b738423651837cu, 0xe8cc60113be5c3afu, 0xb48887157a1d156au, 0x1f00f5060b334f68u, 0x4777927aa2c7a2a4u,
     0xca015a3325caddcbu, 0x674683b82cff0f7eu, 0x026a8ebbe1d130b0u},
    {0xf713ecbf9bf15c3du, 0xa27acdba2efab6ccu, 0xbb75b6e413ea8220u, 0xe3e2506e52c0d77au, 0xc4d9920b84e4d230u,
     0x4f27a19e4c0ec8ccu, 0x3b43ea9235fbb52au, 0xd18734e8c771a032u, 0x1010efa0a4cdd97cu},
    {0xf7dadf80d69ef283u, 0xab9770b710109256u, 0x02930b83745eec3fu, 0x7ac2b2997dec755eu, 0xb0a2b32ae3f86471u,
     0xfe007e2f0be1b817u, 0x109dba66f2c0c576u},
    {0x33b9d402d97e99b4u, 0x17e17d94b8e6721eu, 0x043e49f2a88e2176u, 0x5181be86367f0089u, 0xbc94dad2d0ca4d74u,
     0x47590637be79d703u, 0xa6b54f4a56e47b19u, 0x6c198397618e467au},
    {0xeb24bdad400d228cu, 0x3d04624ce0502fb7u, 0xd7ad66093757edbbu, 0xe7f7887fb73db84fu, 0x7a9e9857abe97cccu,
     0xdf8ad4616c3a53f2u, 0xb5296a2639e785e5u, 0xf738b903a6b08a18u, 0x97f3cbb2bea426b9u},
};
