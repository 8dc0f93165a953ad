@echo off
rem Builds TensorRT engines from pnet.onnx, rnet.onnx and onet.onnx in this folder, on the machine that will run them.
rem For TensorRT 8.5 to 11 on Windows. Options are chosen by trtexec's version, after its published option tables; this
rem script was not run against TensorRT.
rem
rem Usage: build_tensorrt_engines.bat [--out DIR] [--models DIR] [--fp16-fallback] [--fp32] [--workspace MIB]
rem                                   [--trtexec FILE] [--version X.Y.Z] [--dry-run]
setlocal EnableExtensions EnableDelayedExpansion
set "MODELS=%~dp0."
set "OUT="
set "WORKSPACE=256"
set "VERSION="
set "FP16=no"
set "FP32=no"
set "DRY=no"
set "TOOL=%TRTEXEC%"

:arguments
if "%~1"=="" goto arguments_end
if "%~1"=="--out" set "OUT=%~2" & shift & shift & goto arguments
if "%~1"=="--models" set "MODELS=%~2" & shift & shift & goto arguments
if "%~1"=="--workspace" set "WORKSPACE=%~2" & shift & shift & goto arguments
if "%~1"=="--trtexec" set "TOOL=%~2" & shift & shift & goto arguments
if "%~1"=="--version" set "VERSION=%~2" & shift & shift & goto arguments
if "%~1"=="--fp16-fallback" set "FP16=yes" & shift & goto arguments
if "%~1"=="--fp32" set "FP32=yes" & shift & goto arguments
if "%~1"=="--dry-run" set "DRY=yes" & shift & goto arguments
if "%~1"=="--help" goto usage
echo build_tensorrt_engines.bat: unknown option %~1; --help lists all 1>&2
exit /b 2

:usage
echo Usage: build_tensorrt_engines.bat [OPTION]...
echo.
echo Builds an engine from each of pnet.onnx, rnet.onnx and onet.onnx that lies beside this script. An engine works
echo only with the TensorRT version and the GPU type that it was built with; both are in its name.
echo.
echo   --out DIR         where engines go (default: beside the ONNX files)
echo   --models DIR      where the ONNX files are (default: beside this script)
echo   --fp16-fallback   layers that are not INT8 may run in FP16 (TensorRT 8 and 10)
echo   --fp32            build FP32 files (exported with --variant fp32); a file with Q/DQ nodes is refused
echo   --workspace MIB   most scratch memory while building (default 256)
echo   --trtexec FILE    trtexec.exe to use (default: the variable TRTEXEC, then the PATH)
echo   --version X.Y.Z   TensorRT's version, where it can't be found out
echo   --dry-run         print the commands and run nothing
exit /b 0

:arguments_end
if "%OUT%"=="" set "OUT=%MODELS%"
if "%FP16%%FP32%"=="yesyes" (
    echo build_tensorrt_engines.bat: --fp16-fallback and --fp32 exclude each other 1>&2
    exit /b 2
)
if "%TOOL%"=="" for /f "delims=" %%P in ('where trtexec 2^>nul') do if "!TOOL!"=="" set "TOOL=%%P"
if "%TOOL%"=="" if "%DRY%"=="yes" set "TOOL=trtexec"
if "%TOOL%"=="" (
    echo build_tensorrt_engines.bat: trtexec is not in the PATH. It lies in the bin folder of TensorRT's zip file. Add that to 1>&2
    echo the PATH, or name it with --trtexec FILE. 1>&2
    exit /b 1
)

rem trtexec starts with "&&&& RUNNING TensorRT.trtexec [TensorRT v8502]"; from version 10 on the number is v100300.
if not "%VERSION%"=="" goto version_known
set "NUMBER="
for /f "tokens=2 delims=[]" %%V in ('call "%TOOL%" --help 2^>^&1 ^| findstr /c:"[TensorRT v"') do if "!NUMBER!"=="" set "NUMBER=%%V"
if "%NUMBER%"=="" (
    echo build_tensorrt_engines.bat: can't find out TensorRT's version; give it with --version X.Y.Z 1>&2
    exit /b 1
)
set "NUMBER=%NUMBER:TensorRT v=%"
if %NUMBER% GEQ 100000 (
    set /a "A=NUMBER / 10000, B=NUMBER / 100 %% 100, C=NUMBER %% 100"
) else (
    set /a "A=NUMBER / 1000, B=NUMBER / 100 %% 10, C=NUMBER %% 100"
)
set "VERSION=%A%.%B%.%C%"
:version_known
for /f "tokens=1,2 delims=." %%A in ("%VERSION%") do set "MAJOR=%%A" & set "MINOR=%%B"
if "%MINOR%"=="" set "MINOR=0"
set "OLD=no"
if %MAJOR% LSS 8 set "OLD=yes"
if %MAJOR% EQU 8 if %MINOR% LSS 5 set "OLD=yes"
if "%OLD%"=="yes" (
    echo build_tensorrt_engines.bat: TensorRT %VERSION% is too old: 8.5 or later is needed 1>&2
    exit /b 1
)
if %MAJOR% GEQ 11 if "%FP16%"=="yes" (
    echo build_tensorrt_engines.bat: TensorRT %MAJOR% takes every type from the file, so --fp16-fallback can't be had 1>&2
    exit /b 1
)

set "GPU="
for /f "delims=" %%G in ('nvidia-smi --query-gpu^=name --format^=csv^,noheader 2^>nul') do if "!GPU!"=="" set "GPU=%%G"
if "%GPU%"=="" set "GPU=gpu"
set "GPU=%GPU: =_%"

if "%DRY%"=="no" if not exist "%OUT%" mkdir "%OUT%"
set "BUILT=0"
call :build pnet input:1x3x12x12 input:1x3x648x1152 input:1x3x1080x1920 || exit /b 1
call :build rnet input:1x3x24x24 input:64x3x24x24 input:256x3x24x24 || exit /b 1
call :build onet input:1x3x48x48 input:16x3x48x48 input:256x3x48x48 || exit /b 1
if "%BUILT%"=="0" (
    echo build_tensorrt_engines.bat: %MODELS% holds none of pnet.onnx, rnet.onnx and onet.onnx 1>&2
    exit /b 1
)
exit /b 0

:build
rem NET MIN OPT MAX
set "ONNX=%MODELS%\%~1.onnx"
if not exist "%ONNX%" (
    echo build_tensorrt_engines.bat: %~1 is skipped: there is no %ONNX% 1>&2
    exit /b 0
)
set "PRECISION=int8"
findstr /m /c:"QuantizeLinear" "%ONNX%" >nul || set "PRECISION=fp32"
if "%FP32%%PRECISION%"=="yesint8" (
    echo build_tensorrt_engines.bat: %ONNX% has Q/DQ nodes, which can't be built as FP32; export with --variant fp32 1>&2
    exit /b 1
)
set "OPTIONS="
if %MAJOR% LEQ 8 (
    if "%PRECISION%"=="int8" set "OPTIONS=--int8"
    if "%FP16%"=="yes" set "OPTIONS=!OPTIONS! --fp16"
    set "OPTIONS=!OPTIONS! --buildOnly"
) else if %MAJOR% LEQ 10 (
    if "%FP16%"=="yes" (
        if "%PRECISION%"=="int8" set "OPTIONS=--int8"
        set "OPTIONS=!OPTIONS! --fp16"
    ) else (
        if "%PRECISION%"=="int8" set "OPTIONS=--stronglyTyped"
    )
    set "OPTIONS=!OPTIONS! --skipInference"
) else (
    set "OPTIONS=--skipInference"
)
set "SUFFIX=%PRECISION%"
if "%FP16%"=="yes" set "SUFFIX=%PRECISION%_fp16"
set "ENGINE=%OUT%\%~1_%SUFFIX%_trt%VERSION%_%GPU%.engine"
set "COMMAND="%TOOL%" --onnx="%ONNX%" --saveEngine="%ENGINE%.part" --memPoolSize=workspace:%WORKSPACE% --minShapes=%~2 --optShapes=%~3 --maxShapes=%~4 %OPTIONS%"
if "%DRY%"=="yes" (
    echo !COMMAND!
) else (
    !COMMAND!
    if errorlevel 1 (
        if exist "%ENGINE%.part" del "%ENGINE%.part"
        echo build_tensorrt_engines.bat: trtexec could not build %~1. Check the file: qmtcnn info --check tensorrt "%ONNX%" 1>&2
        exit /b 1
    )
    move /y "%ENGINE%.part" "%ENGINE%" >nul || exit /b 1
    echo %ENGINE%
)
set /a BUILT+=1
exit /b 0
