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
    {0x7b093130499d191bu, 0x5303cfe029be6aa4u, 0xfaeeda0074ea8819u, 0x82b25faf34d4ad7du, 0xba743bbb76c2aa45u,
     0x4852a26b9e0fc99eu, 0x5dd98f52e55149ffu},
    {0x80f9e4e5f1e06250u, 0x52d3b3b60c3baefcu, 0x81667ea1615f2ad5u, 0x5dfbc48a39af6731u, 0xbad60517f80fdacau,
     0xf23479974f5ba5b8u, 0x7626a8a16209891fu, 0x3f0e58d24d206d78u},
    {0x8cd5997e1cd780d0u, 0xb51846ea2d1285b5u, 0x31ec868097f3fc0eu, 0x9d1e729f8459db0fu, 0x02bfe4dd7d6211b3u,
     0x1ccdbc5160cff7fbu, 0x50dec829580c6ad2u, 0xc273248871048df8u, 0xa6761910991a0d2du},
};
