import { runLinear } from '../../compare/emulate.ts';
import { Image } from '../../volume/image.ts';
import { designNamed } from '../designOption.ts';
import { kernelCheckCommand } from '../kernel/checkCommand.ts';

export default kernelCheckCommand(({ image, mount, design, lines }) =>
  runLinear({ image: Image.load(image), mount, design: designNamed(design), lines }),
);
